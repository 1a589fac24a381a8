"""Nothing that axe-core complains of, on any page, in both themes."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage

AXE = Path(__file__).parents[2] / "apps/web/node_modules/axe-core/axe.min.js"
SETTLED = """
() => Promise.all(document.getAnimations()
  .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
  .map((animation) => animation.finished.catch(() => {})))
"""
FOUND = """
() => axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
  violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`))
"""

themes = pytest.mark.parametrize("theme", ["light", "dark"])


@pytest.fixture(scope="module", autouse=True)
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not there: run `make web`")
    return AXE.read_text()


def violations(page: Page, axe: str) -> list[str]:
    page.evaluate(SETTLED)  # what fades in has no contrast yet
    page.evaluate(axe)
    found: list[str] = page.evaluate(FOUND)
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
    assert violations(chat.page, axe) == []
