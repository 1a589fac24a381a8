"""Choosing the model."""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def search(chat: ChatPage) -> Locator:
    """The list's field, open."""
    chat.model_selector.click()
    return chat.page.get_by_placeholder("Search models...")


def test_the_list_opens_and_escape_closes_it(chat: ChatPage, search: Locator) -> None:
    expect(search).to_be_focused()
    expect(chat.page.get_by_text("Available")).to_be_visible()
    search.press("Escape")
    expect(search).to_be_hidden()


def test_a_search_narrows_the_list(chat: ChatPage, search: Locator) -> None:
    search.fill("vision")
    expect(chat.page.get_by_test_id("model-selector-item-mock/vision")).to_be_visible()
    expect(chat.page.get_by_test_id("model-selector-item-mock/echo")).to_be_hidden()
    search.fill("no such thing")
    expect(chat.page.get_by_text("No model by that name.")).to_be_visible()


def test_a_choice_is_shown_and_remembered(chat: ChatPage, search: Locator) -> None:
    chat.page.get_by_test_id("model-selector-item-mock/reasoning").click()
    expect(search).to_be_hidden()
    expect(chat.model_selector).to_have_text("Mock reasoning")
    chat.page.reload()
    expect(chat.model_selector).to_have_text("Mock reasoning")


def test_models_say_what_they_can(chat: ChatPage, search: Locator) -> None:
    expect(search).to_be_visible()
    tools = chat.page.get_by_test_id("model-selector-item-mock/tools")
    expect(tools.get_by_role("img", name="Uses tools")).to_be_visible()
    expect(tools.get_by_role("img", name="Sees images")).to_be_visible()
    expect(tools.get_by_role("img", name="Thinks first")).to_have_count(0)
    expect(tools).to_contain_text("Mock · 8.2K context")
    base = chat.page.get_by_test_id("model-selector-item-mock/base")
    expect(base).to_contain_text("Plain completion")


def test_prices_are_shown(open_page: OpenPage) -> None:
    chat = open_page()

    def price(route):  # type: ignore[no-untyped-def]
        body = route.fetch().json()
        body["models"][0]["prices"] = {"input": 1.25, "output": 10}
        route.fulfill(json=body)

    chat.page.route("**/api/models", price)
    chat.page.reload()
    chat.model_selector.click()
    expect(chat.page.get_by_text("$1.25 / $10 per 1M tokens")).to_be_visible()


def test_a_shortcut_opens_the_list(chat: ChatPage) -> None:
    expect(chat.input).to_be_focused()
    chat.page.keyboard.press("Control+Shift+m")
    search = chat.page.get_by_placeholder("Search models...")
    expect(search).to_be_focused()
    search.press_sequentially("slow")
    search.press("Enter")
    expect(chat.model_selector).to_have_text(re.compile("Mock slow"))
