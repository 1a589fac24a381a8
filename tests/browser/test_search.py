"""Finding chats again, by their titles and by what was said in them."""

import re

import pytest
from playwright.sync_api import Route, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.browser.many_chats import ask, user_id, write_chats
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def asked(chat: ChatPage) -> ChatPage:
    """The page with a few chats; the mock model repeats the questions."""
    expect(chat.input).to_be_visible()
    for title in ("Rivers of Asia", "Über den Fluss", "Baking bread"):
        chat_id = ask(chat.page, title)
        if title == "Baking bread":
            renamed = chat.page.request.patch(f"/api/chat/{chat_id}", data={"title": "Kitchen"})
            assert renamed.ok
    chat.page.reload()
    expect(chat.sidebar.chat("Kitchen")).to_be_visible()
    return chat


def test_the_shortcut_opens_and_escape_closes(asked: ChatPage) -> None:
    search = asked.sidebar.search
    search.open()
    expect(search.field).to_be_focused()
    expect(search.hits).to_have_count(3)
    asked.page.keyboard.press("Escape")
    expect(search.dialog).to_have_count(0)
    search.button.click()
    expect(search.field).to_be_focused()


def test_titles_are_found_at_once(asked: ChatPage) -> None:
    search = asked.sidebar.search
    asked.page.route(re.compile("/api/history.*q="), lambda route: None)  # never answers
    search.open()
    search.field.fill("uber")
    expect(search.hits).to_have_count(1)
    expect(search.marks).to_have_text(["Über"])
    search.field.fill("rivers asia")
    expect(search.marks).to_have_text(["Rivers", "Asia"])


def test_words_of_messages_are_found_and_marked(asked: ChatPage) -> None:
    search = asked.sidebar.search
    search.open()
    search.field.fill("baking")
    expect(search.hits).to_have_count(1)
    expect(search.hits).to_contain_text("Kitchen")
    expect(search.marks.first).to_have_text("Baking")
    asked.page.keyboard.press("Enter")
    expect(search.dialog).to_have_count(0)
    expect(asked.last_answer).to_have_text("Baking bread")


def test_the_arrow_keys_choose(asked: ChatPage) -> None:
    search = asked.sidebar.search
    search.open()
    expect(search.hits.nth(0)).to_have_attribute("aria-selected", "true")
    asked.page.keyboard.press("ArrowDown")
    asked.page.keyboard.press("ArrowDown")
    asked.page.keyboard.press("ArrowUp")
    expect(search.hits.nth(1)).to_have_attribute("aria-selected", "true")
    asked.page.keyboard.press("Enter")
    expect(asked.last_answer).to_have_text("Über den Fluss")


def test_the_archive_is_searched_too(asked: ChatPage) -> None:
    search = asked.sidebar.search
    with asked.page.expect_response(lambda r: r.request.method == "PATCH"):
        asked.sidebar.choose("Rivers of Asia", "Archive")
    search.open()
    expect(search.hits).to_have_count(2)
    search.field.fill("rivers")
    expect(search.hits).to_have_count(1)
    expect(search.hits.get_by_label("Archived chats")).to_be_visible()


def test_a_search_that_finds_nothing_says_so(asked: ChatPage) -> None:
    search = asked.sidebar.search
    search.open()
    search.field.fill("volcano")
    expect(search.dialog).to_contain_text("No chat has these words.")


def test_a_search_that_fails_can_be_tried_again(asked: ChatPage) -> None:
    search = asked.sidebar.search

    def refuse(route: Route) -> None:
        route.fulfill(status=400, json={"code": "bad_request:api", "message": "No."})

    asked.page.route(re.compile("/api/history.*q="), refuse)
    search.open()
    search.field.fill("baking")
    alert = search.dialog.get_by_role("alert")
    expect(alert).to_contain_text("Messages could not be searched.")
    asked.page.unroute(re.compile("/api/history.*q="))
    alert.get_by_role("button", name="Try again").click()
    expect(search.hits).to_have_count(1)
    expect(alert).to_have_count(0)


def test_chats_that_are_not_loaded_are_found(chat: ChatPage, stores: StoreUrls) -> None:
    expect(chat.input).to_be_visible()
    write_chats(stores, user_id(chat.page), 1_000)
    chat.page.reload()
    expect(chat.sidebar.chat("Chat 0")).to_be_visible()
    chat.sidebar.search.open()
    chat.sidebar.search.field.fill("chat 997")
    expect(chat.sidebar.search.hits).to_have_count(1)
    expect(chat.sidebar.search.marks).to_have_text(["Chat", "997"])
