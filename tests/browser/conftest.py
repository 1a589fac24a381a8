"""A real Chromium against a real gateway with its mock models.

The browser lives as long as a module: Playwright's loop must be gone before asyncio tests run.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.routes.pages import STATIC
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.pages.chat import ChatPage

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 8_000

OpenPage = Callable[..., ChatPage]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = os.environ.get("RAYLM_CHROMIUM") or shutil.which("chromium")
    if path is None:
        _unavailable("no Chromium: install the package `chromium`, or set RAYLM_CHROMIUM")
    if not (STATIC / "index.html").is_file():
        _unavailable("the web UI is not built: run `make web`")
    return str(path)


def _unavailable(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def stores(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreUrls]:
    with EmbeddedStores(tmp_path_factory.mktemp("stores")) as urls:
        yield urls


@pytest.fixture(scope="session")
def gateway(
    stores: StoreUrls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("gateway")
    with GatewayProcess(folder / "log", environment(stores, folder)) as process:
        yield process


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, gateway: GatewayProcess) -> Iterator[OpenPage]:
    """Opens the page for a new visitor; options are those of a browser context."""
    complaints: list[str] = []

    def listen(page: Page) -> None:
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note_complaint(message, complaints))

    def open_page(path: str = "/", **options: Any) -> ChatPage:
        context = browser.new_context(base_url=gateway.base_url, **options)
        page = context.new_page()
        listen(page)
        page.goto(path)
        return ChatPage(page)

    yield open_page
    for context in browser.contexts:
        context.close()
    assert not complaints, complaints


def _note_complaint(message: ConsoleMessage, complaints: list[str]) -> None:
    """The console stays silent, but for requests that a test makes fail on purpose."""
    if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
        complaints.append(message.text)


@pytest.fixture
def chat(open_page: OpenPage) -> ChatPage:
    """The page as a new visitor sees it."""
    return open_page()
