"""Every page: nothing that axe-core complains of, no sideways scrolling, and fit to be mirrored."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.apps.gateway.harness import User, new_id
from tests.apps.gateway.runs.run_folder import WrittenRun
from tests.browser.conftest import OpenPage
from tests.browser.operated import OpenAs, open_as, operated, operator, runs
from tests.browser.pages.artifact import Artifact
from tests.browser.pages.chat import ChatPage

__all__ = ["open_as", "operated", "operator", "runs"]

WEB = Path(__file__).parents[2] / "apps/web"
AXE = WEB / "node_modules/axe-core/axe.min.js"
SETTLED = """
() => Promise.all(document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
  .map((animation) => animation.finished.catch(() => {})))
"""
FOUND = """
(within) => axe.run(within, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`))
"""

SIDEWAYS = """
() => [document.documentElement, ...document.querySelectorAll("main, main > *")]
  .filter((element) => element.scrollWidth > element.clientWidth)
  .map((element) => element.outerHTML)
"""
NARROWEST, DESK = {"width": 320, "height": 640}, {"width": 1280, "height": 800}

ENTRANCES = {
    "/login": "button[type=submit]",
    "/register": "button[type=submit]",
    "/forgot-password": "button[type=submit]",
    "/reset-password": "button[type=submit]",
    "/verify-email": "[role=status]:not(:empty)",
}
"""By route, what is there once the page is."""
PAGES = ENTRANCES | {
    "/": "[data-testid=suggested-actions]",
    "/chat/$chatId": "[data-testid=message-assistant] pre",
    "/models": "[data-testid='local-model-raylm/fake']",
    "/runs": "a[href='/runs/drawn']:visible",
    "/runs/$runId": "[data-testid=chart-loss] canvas",
    "/settings": "text=Delete account",
    "/nowhere": "text=Nothing lives at this address.",
}


@pytest.fixture(scope="module", autouse=True)
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not there: run `make web`")
    return AXE.read_text()


def violations(page: Page, axe: str, within: str = "html") -> dict[str, list[str]]:
    """By theme, where there are any; the page follows the system's."""
    page.evaluate(axe)
    found = {}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        expect(page.locator("html")).to_have_class("dark" if theme == "dark" else "")
        page.evaluate(SETTLED)  # what fades in has no contrast yet
        found[theme] = page.evaluate(FOUND, within)
    return {theme: complaints for theme, complaints in found.items() if complaints}


def test_a_new_chat(chat: ChatPage, axe: str) -> None:
    expect(chat.suggestions).to_be_visible()
    assert violations(chat.page, axe) == {}


def test_a_conversation(chat: ChatPage, axe: str) -> None:
    chat.ask("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```", "mock/echo")
    expect(chat.last_answer.locator("pre .code-line span").first).to_be_visible()
    expect(chat.send_button).to_be_visible()
    assert violations(chat.page, axe) == {}
    chat.ask("Why?", "mock/reasoning")
    expect(chat.send_button).to_be_visible()
    assert violations(chat.page, axe) == {}


def test_open_menus(chat: ChatPage, axe: str) -> None:
    chat.model_selector.click()
    expect(chat.page.get_by_role("dialog").or_(chat.page.get_by_role("menu")).first).to_be_visible()
    assert violations(chat.page, axe) == {}
    chat.page.keyboard.press("Escape")
    chat.page.get_by_test_id("user-nav-button").click()
    expect(chat.page.get_by_test_id("user-nav-menu")).to_be_visible()
    # What is behind an open menu is hidden from assistive tools until it closes.
    assert violations(chat.page, axe, "[role=menu]") == {}


@pytest.mark.parametrize("route", PAGES)
def test_every_page(open_as: OpenAs, operator: User, runs: Path, axe: str, route: str) -> None:
    WrittenRun(runs, "drawn").start().steps(1, 20).finish()
    user = None if route in ENTRANCES else operator  # who is signed in is led away from some
    page = open_as(address(route, operator), user, viewport=NARROWEST)
    expect(page.locator(PAGES[route]).first).to_be_visible()
    for direction in ("rtl", "ltr"):
        page.evaluate("dir => { document.documentElement.dir = dir; }", direction)
        assert page.evaluate(SIDEWAYS) == [], direction
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    assert violations(page, axe) == {}


def address(route: str, user: User) -> str:
    if "$chatId" in route:
        chat = new_id()
        user.ask(f"{'x' * 300}\n\n```python\n{'y = 1; ' * 60}\n```", chat=chat)
        return route.replace("$chatId", chat)
    return route.replace("$runId", "drawn")


def test_every_route_is_such_a_page() -> None:
    router = (WEB / "src/routes/router.ts").read_text()
    paths = set(re.findall(r'path: "(.+)"', router))
    assert paths == PAGES.keys() - {"/nowhere"} | {"$"}


def test_a_mirrored_page(open_page: OpenPage) -> None:
    chat = open_page(viewport=DESK)
    chat.page.evaluate("document.documentElement.dir = 'rtl'")
    chat.ask("مرحبا\n\nEnglish here", "mock/echo")
    expect(chat.last_answer.locator("p")).to_have_text(["مرحبا", "English here"])
    sidebar = chat.page.get_by_role("complementary", name="Sidebar")
    assert right_edge(sidebar) == DESK["width"]
    assert chat.page.evaluate(SIDEWAYS) == []
    chat.page.evaluate("document.documentElement.dir = 'ltr'")
    directions = chat.last_answer.locator("p").evaluate_all(
        "paragraphs => paragraphs.map((p) => getComputedStyle(p).direction)"
    )
    assert directions == ["rtl", "ltr"]
    chat.page.evaluate("document.documentElement.dir = 'rtl'")
    chat.page.set_viewport_size(NARROWEST)  # type: ignore[arg-type]
    chat.sidebar.toggle.click()
    sheet = chat.page.get_by_role("dialog", name="Sidebar")
    expect(sheet).to_be_visible()
    chat.page.evaluate(SETTLED)
    assert right_edge(sheet) == NARROWEST["width"]


def right_edge(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"]


def test_a_document_beside_a_chat(chat: ChatPage, axe: str) -> None:
    artifact = Artifact(chat)
    artifact.ask_for("Write an essay about axes")
    expect(artifact.text).to_be_visible()
    assert violations(chat.page, axe) == {}
