"""Real stores and a real gateway process, one of each for the session; faults get their own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment, new_id


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUrls]:
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as urls:
        yield urls


@pytest.fixture(scope="session")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(folder / "log", environment(stores, folder)) as process:
        yield process


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def ada(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def babbage(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def chat() -> str:
    return new_id()
