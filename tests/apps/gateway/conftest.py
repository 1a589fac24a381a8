"""Real stores and a real gateway process, one of each for the session; faults get their own."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database
from tests.apps.gateway.accounts.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Provider,
    running_provider,
)
from tests.apps.gateway.fake_weather import weather_server
from tests.apps.gateway.harness import (
    GatewayProcess,
    User,
    disk_of,
    environment,
    eventually,
    new_id,
)
from tests.apps.gateway.mail_server import MailServer, certificate, mail_server
from tests.apps.gateway.mcp_servers import McpNotes, mcp_config
from tests.serve.conftest import FakeEngine, FakeLoader, serving


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUrls]:
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as urls:
        yield urls


@pytest.fixture
async def database(stores: StoreUrls) -> AsyncIterator[Database]:
    """The stores' own, with every table."""
    database = Database(stores.database_url)
    await database.open()
    await migrate(database)
    yield database
    await database.close()


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
    groups = folder / "providers.yaml"
    groups.write_text("groups: {sure: {members: [mock/flaky, mock/echo], allowed_fails: 999}}")
    return environment(
        stores,
        folder,
        RAYLM_WEATHER_URL=f"{weather_url}/forecast",
        RAYLM_GEOCODING_URL=f"{weather_url}/search",
        RAYLM_MCP_CONFIG=str(mcp_config(folder)),
        RAYLM_TITLE_MODEL="mock/title",
        RAYLM_PROVIDERS=str(groups),
    )


@pytest.fixture(scope="session")
def tooled(tool_environment: dict[str, str]) -> Iterator[GatewayProcess]:
    """A gateway with tools: the weather over HTTP, an MCP server over its standard input."""
    log = Path(tool_environment["RAYLM_DATA_DIR"]) / "log"
    with GatewayProcess(log, tool_environment) as process:
        user = process.user()
        eventually(lambda: user.has_tool("demo_big") and user.has_tool("hasty_wait"), within_s=60)
        yield process


@pytest.fixture(scope="session")
def mail_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def mail(mail_certificate: Path) -> Iterator[MailServer]:
    with mail_server(mail_certificate) as server:
        yield server


@pytest.fixture(scope="session")
def github() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="session")
def mailing(
    stores: StoreUrls,
    mail: MailServer,
    mail_certificate: Path,
    github: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    """A gateway that sends mail, and lets people in with GitHub."""
    folder = tmp_path_factory.mktemp("mailing")
    settings = environment(
        stores,
        folder,
        RAYLM_SMTP_URL=mail.url,
        RAYLM_MAIL_FROM="RayLM <no-reply@chat.example>",
        RAYLM_PUBLIC_URL="http://chat.example/",
        RAYLM_ADMIN_EMAILS="chief@example.com",
        SSL_CERT_FILE=str(mail_certificate),
        GITHUB_CLIENT_ID=CLIENT_ID,
        GITHUB_CLIENT_SECRET=CLIENT_SECRET,
        RAYLM_GITHUB_URL=github.url,
        RAYLM_GITHUB_API_URL=github.url,
    )
    with GatewayProcess(folder / "log", settings) as process:
        yield process


@pytest.fixture(scope="session")
def operated(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway with runs, and an engine whose models it may change."""
    folder = tmp_path_factory.mktemp("operated")
    (folder / "runs").mkdir()
    with serving(FakeEngine(), admin_key="engine-key", loader=FakeLoader()) as engine:
        settings = environment(
            stores,
            folder,
            RAYLM_RUNS=str(folder / "runs"),
            RAYLM_ENGINE_URL=f"{engine.url}/v1",
            RAYLM_ADMIN_KEY="engine-key",
            RAYLM_LOCAL_MODELS="smollm2,missing",
        )
        with GatewayProcess(folder / "log", settings) as process:
            yield process


@pytest.fixture
def operator(operated: GatewayProcess, execute: Callable[..., None]) -> User:
    """Its admin."""
    operator = operated.user()
    email = operator.register()
    execute("update users set role = 'admin' where id = $1", operator.id)
    operator.log_in(email)
    return operator


@pytest.fixture
def runs(operated: GatewayProcess) -> Iterator[Path]:
    folder = operated.data_dir / "runs"
    yield folder
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.fixture
def notes(tool_environment: dict[str, str]) -> McpNotes:
    return McpNotes(Path(tool_environment["RAYLM_DATA_DIR"]) / "notes")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with disk_of("1m", tmp_path / "small") as folder:
        yield folder


@pytest.fixture
def execute(stores: StoreUrls) -> Callable[..., None]:
    """What only time does otherwise, in SQL."""

    async def run(statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(stores.database_url)
        await connection.execute(statement, *values)
        await connection.close()

    return lambda statement, *values: asyncio.run(run(statement, *values))


@pytest.fixture
def ada(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def babbage(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture
def chat() -> str:
    return new_id()
