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


@pytest.mark.parametrize(
    "path", ["/login", "/register", "/forgot-password", "/settings", "/models"]
)
def test_the_other_pages(open_page: OpenPage, axe: str, path: str) -> None:
    chat = open_page(path)
    expect(chat.page.get_by_role("heading", level=1)).to_be_visible()
    chat.page.wait_for_load_state("networkidle")
    assert violations(chat.page, axe) == {}


def test_a_document_beside_a_chat(chat: ChatPage, axe: str) -> None:
    artifact = Artifact(chat)
    artifact.ask_for("Write an essay about axes")
    expect(artifact.text).to_be_visible()
    assert violations(chat.page, axe) == {}
