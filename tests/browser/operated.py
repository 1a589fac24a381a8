"""A gateway with runs and an engine, and its admin's browser: fixtures for the pages of both."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, Page

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment
from tests.browser.conftest import TIMEOUT_MS, _note_complaint
from tests.serve.conftest import FakeEngine, FakeLoader, serving

OpenAs = Callable[..., Page]


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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
def open_as(browser: Browser, operated: GatewayProcess) -> Iterator[OpenAs]:
    """A page of the gateway with runs, for a user or a new visitor."""
    complaints: list[str] = []

    def open_as(path: str, user: User | None = None, **options: Any) -> Page:
        context = browser.new_context(base_url=operated.base_url, **options)
        if user is not None:
            cookie = {"name": "raylm_session", "value": user.token, "url": operated.base_url}
            context.add_cookies([cookie])  # type: ignore[list-item]
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note_complaint(message, complaints))
        page.goto(path)
        return page

    yield open_as
    for context in browser.contexts:
        context.close()
    assert not complaints, complaints
