"""Real stores and a real gateway process, one of each for the session; faults get their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, disk_of, environment, new_id


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
    with disk_of("1m", tmp_path / "small") as folder:
        yield folder


@pytest.fixture
def ada(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def babbage(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def chat() -> str:
    return new_id()
