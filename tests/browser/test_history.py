"""The list of chats, and the addresses of chats."""

import re

from playwright.sync_api import Page, expect

from tests.apps.gateway.harness import new_id
from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage

CHATS = 45


def test_a_new_chat_appears_and_can_be_left_and_opened_again(chat: ChatPage) -> None:
    chat.ask("About rivers", "mock/echo")
    expect(chat.sidebar.chat("About rivers")).to_have_attribute("aria-current", "page")
    address = chat.wait_for_chat_url()
    chat.sidebar.new_chat.click()
    expect(chat.page).to_have_url(re.compile(r"/$"))
    expect(chat.suggestions).to_be_visible()
    chat.sidebar.chat("About rivers").click()
    expect(chat.page).to_have_url(address)
    expect(chat.last_answer).to_have_text("About rivers")
    chat.page.go_back()
    expect(chat.suggestions).to_be_visible()


def test_a_deep_link_opens_the_chat(chat: ChatPage) -> None:
    chat.ask("Linked", "mock/echo")
    chat.wait_for_answer("Linked")
    other_tab = chat.page.context.new_page()
    other_tab.goto(chat.page.url)
    expect(ChatPage(other_tab).last_answer).to_have_text("Linked")


def test_another_visitors_chat_stays_closed(chat: ChatPage, open_page: OpenPage) -> None:
    chat.ask("Private", "mock/echo")
    chat.wait_for_answer("Private")
    stranger = open_page(chat.page.url)
    expect(stranger.page.get_by_role("alert")).to_contain_text("belongs to another user")
    expect(stranger.answers).to_have_count(0)


def test_rename_in_place(chat: ChatPage) -> None:
    chat.ask("Old name", "mock/echo")
    chat.sidebar.choose("Old name", "Rename")
    field = chat.page.get_by_role("textbox", name="Chat title")
    expect(field).to_be_focused()
    field.fill("Discarded")
    field.press("Escape")
    chat.sidebar.choose("Old name", "Rename")
    field.fill("New name")
    field.press("Enter")
    expect(chat.sidebar.chat("New name")).to_be_visible()
    chat.page.reload()
    expect(chat.sidebar.chat("New name")).to_be_visible()
    expect(chat.page).to_have_title("New name · RayLM")


def test_delete_asks_first(chat: ChatPage) -> None:
    chat.ask("Doomed", "mock/echo")
    chat.wait_for_answer("Doomed")
    chat.sidebar.choose("Doomed", "Delete")
    dialog = chat.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(chat.sidebar.chat("Doomed")).to_be_visible()
    chat.sidebar.choose("Doomed", "Delete")
    dialog.get_by_role("button", name="Delete").click()
    expect(chat.sidebar.chat("Doomed")).to_have_count(0)
    expect(chat.page).to_have_url(re.compile(r"/$"))
    chat.page.reload()
    expect(chat.sidebar.chats.get_by_text("Your chats will appear here.")).to_be_visible()


def test_older_chats_come_as_one_scrolls(chat: ChatPage) -> None:
    expect(chat.input).to_be_visible()  # the session is there
    for number in range(CHATS):
        _store_chat(chat.page, f"Chat {number}")
    chat.page.reload()
    expect(chat.sidebar.chats.get_by_role("heading", name="Today")).to_be_visible()
    expect(chat.sidebar.chat(f"Chat {CHATS - 1}")).to_be_visible()
    chat.sidebar.chats.hover()
    chat.page.mouse.wheel(0, 4_000)
    expect(chat.sidebar.chat("Chat 0")).to_be_visible()
    expect(chat.sidebar.chats.get_by_role("link")).to_have_count(CHATS)


def _store_chat(page: Page, question: str) -> None:
    message = {"id": new_id(), "role": "user", "parts": [{"type": "text", "text": question}]}
    body = {"id": new_id(), "message": message, "selectedChatModel": "mock/echo"}
    assert page.request.post("/api/chat", data=body).ok
