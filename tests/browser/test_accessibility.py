"""Nothing that axe-core complains of, on any page, in both themes."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.artifact import Artifact
from tests.browser.pages.chat import ChatPage

AXE = Path(__file__).parents[2] / "apps/web/node_modules/axe-core/axe.min.js"
SETTLED = """
() => Promise.all(document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
  .map((animation) => animation.finished.catch(() => {})))
"""
FOUND = """
(within) => axe.run(within, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`))
"""

PAGES = ["/login", "/register", "/forgot-password", "/settings", "/models"]

themes = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module", autouse=True)
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not there: run `make web`")
    return AXE.read_text()


def violations(page: Page, axe: str, within: str = "html") -> list[str]:
    page.evaluate(SETTLED)  # what fades in has no contrast yet
    page.evaluate(axe)
    found: list[str] = page.evaluate(FOUND, within)
    return found


@themes
def test_a_new_chat(open_page: OpenPage, axe: str, theme: str) -> None:
    chat = open_page(color_scheme=theme)
    expect(chat.suggestions).to_be_visible()
    assert violations(chat.page, axe) == []


@themes
def test_a_conversation(open_page: OpenPage, axe: str, theme: str) -> None:
    chat = open_page(color_scheme=theme)
    chat.ask("# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint(1)\n```", "mock/echo")
    expect(chat.last_answer.locator("pre .code-line span").first).to_be_visible()
    expect(chat.send_button).to_be_visible()
    assert violations(chat.page, axe) == []
    chat.ask("Why?", "mock/reasoning")
    expect(chat.send_button).to_be_visible()
    assert violations(chat.page, axe) == []


@themes
def test_open_menus(open_page: OpenPage, axe: str, theme: str) -> None:
    chat: ChatPage = open_page(color_scheme=theme)
    chat.model_selector.click()
    expect(chat.page.get_by_role("dialog").or_(chat.page.get_by_role("menu")).first).to_be_visible()
    assert violations(chat.page, axe) == []
    chat.page.keyboard.press("Escape")
    chat.page.get_by_test_id("user-nav-button").click()
    expect(chat.page.get_by_test_id("user-nav-menu")).to_be_visible()
    # What is behind an open menu is hidden from assistive tools until it closes.
    assert violations(chat.page, axe, "[role=menu]") == []


@themes
@pytest.mark.parametrize(
    "path", ["/login", "/register", "/forgot-password", "/settings", "/models"]
)
def test_the_other_pages(open_page: OpenPage, axe: str, theme: str, path: str) -> None:
    chat = open_page(path, color_scheme=theme)
    expect(chat.page.get_by_role("heading", level=1)).to_be_visible()
    chat.page.wait_for_load_state("networkidle")
    assert violations(chat.page, axe) == []


@themes
def test_a_document_beside_a_chat(open_page: OpenPage, axe: str, theme: str) -> None:
    artifact = Artifact(open_page(color_scheme=theme))
    artifact.ask_for("Write an essay about axes")
    expect(artifact.text).to_be_visible()
    assert violations(artifact.chat.page, axe) == []
