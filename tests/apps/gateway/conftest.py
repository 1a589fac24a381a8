"""Real stores and a real gateway process, one of each for the session; faults get their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from tests.apps.gateway.fake_weather import weather_server
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    disk_of,
    environment,
    eventually,
    new_id,
)
from tests.apps.gateway.mcp_servers import McpNotes, mcp_config


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


@pytest.fixture(scope="session")
def weather_url() -> Iterator[str]:
    with weather_server() as url:
        yield url


@pytest.fixture(scope="session")
def tool_environment(
    stores: StoreUrls, weather_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tools")
    return environment(
        stores,
        folder,
        RAYLM_WEATHER_URL=f"{weather_url}/forecast",
        RAYLM_GEOCODING_URL=f"{weather_url}/search",
        RAYLM_MCP_CONFIG=str(mcp_config(folder)),
        RAYLM_TITLE_MODEL="mock/title",
    )


@pytest.fixture(scope="session")
def tooled(tool_environment: dict[str, str]) -> Iterator[GatewayProcess]:
    """A gateway with tools: the weather over HTTP, an MCP server over its standard input."""
    log = Path(tool_environment["RAYLM_DATA_DIR"]) / "log"
    with GatewayProcess(log, tool_environment) as process:
        user = process.user()
        eventually(lambda: user.has_tool("demo_big") and user.has_tool("hasty_wait"), within_s=60)
        yield process


@pytest.fixture
def notes(tool_environment: dict[str, str]) -> McpNotes:
    return McpNotes(Path(tool_environment["RAYLM_DATA_DIR"]) / "notes")


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
