"""A gateway with runs and an engine, and its admin's browser: fixtures for the pages of both."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Page

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment
from tests.browser.visitors import Visitors
from tests.serve.conftest import FakeEngine, FakeLoader, serving

OpenAs = Callable[..., Page]


@pytest.fixture(scope="session")
def operated(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("operated")
    (folder / "runs").mkdir()
    with serving(FakeEngine(), admin_key="engine-key", loader=FakeLoader()) as engine:
        settings = environment(
            stores,
            folder,
            RAYLM_RUNS=str(folder / "runs"),
            RAYLM_ENGINE_URL=f"{engine.url}/v1",
            RAYLM_ADMIN_KEY="engine-key",
        )
        with GatewayProcess(folder / "log", settings) as process:
            yield process


@pytest.fixture(scope="session")
def operator(operated: GatewayProcess, stores: StoreUrls) -> User:
    """An admin; made one by SQL, as `raylm admin grant` does."""

    async def grant(user_id: str) -> None:
        connection = await asyncpg.connect(stores.database_url)
        await connection.execute("update users set role = 'admin' where id = $1", user_id)
        await connection.close()

    operator = operated.user()
    email = operator.register()
    with ThreadPoolExecutor(1) as pool:  # this thread has Playwright's loop
        pool.submit(lambda: asyncio.run(grant(operator.id))).result()
    operator.log_in(email)
    return operator


@pytest.fixture
def runs(operated: GatewayProcess) -> Iterator[Path]:
    folder = operated.data_dir / "runs"
    yield folder
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.fixture
def open_as(visitors: Visitors, operated: GatewayProcess) -> OpenAs:
    """A page of the gateway with runs, for a user or a new visitor."""

    def open_as(path: str, user: User | None = None, **options: Any) -> Page:
        session = None if user is None else user.token
        return visitors.open(operated.base_url, path, session=session, **options)

    return open_as
