"""A real Chromium against a real gateway with its mock models."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from benchmarks.web.browser import ARGUMENTS as PLAIN
from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls
from raylm_apps.gateway.routes.pages import STATIC
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.operated import OpenAs, open_as, operated, operator, runs
from tests.browser.pages.chat import ChatPage
from tests.browser.visitors import Visitors, Windows

__all__ = ["OpenAs", "open_as", "operated", "operator", "runs"]

# A page of a window that has been used finds its program compiled.
ARGUMENTS = [*PLAIN, "--process-per-site"]

PROGRAMS = ("chromium-headless-shell", "chromium")  # without a window's own pages it is quicker

OpenPage = Callable[..., ChatPage]
WINDOWS = pytest.StashKey[Windows]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure says what the pages showed."""
    report = yield
    visitors = getattr(item, "funcargs", {}).get("visitors")
    if report.when == "call" and report.failed and visitors is not None:
        report.sections.append(("Pages", visitors.describe()))
    return report


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = os.environ.get("RAYLM_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
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
def windows(request: pytest.FixtureRequest, chromium_path: str) -> Windows:
    """This folder's browser: Playwright's loop must be gone before asyncio tests run."""
    folder = request.node.parent
    if WINDOWS not in folder.stash:
        playwright = sync_playwright().start()
        browser = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)

        def close() -> None:
            del folder.stash[WINDOWS]
            browser.close()
            playwright.stop()

        folder.addfinalizer(close)
        folder.stash[WINDOWS] = Windows(browser)
    return folder.stash[WINDOWS]


@pytest.fixture
def browser(windows: Windows) -> Browser:
    return windows.browser


@pytest.fixture
def visitors(windows: Windows) -> Iterator[Visitors]:
    visitors = Visitors(windows)
    yield visitors
    visitors.leave()
    assert not visitors.complaints, visitors.complaints


@pytest.fixture
def open_page(visitors: Visitors, gateway: GatewayProcess) -> OpenPage:
    """Opens the page for a new visitor; options are those of a browser context."""

    def open_page(path: str = "/", **options: Any) -> ChatPage:
        return ChatPage(visitors.open(gateway.base_url, path, **options))

    return open_page


@pytest.fixture
def chat(open_page: OpenPage) -> ChatPage:
    """The page as a new visitor sees it."""
    return open_page()
