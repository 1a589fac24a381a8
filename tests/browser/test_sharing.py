"""The header of a chat: who may read it, its link, its export, renaming, archiving, deleting."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def answered(open_page: OpenPage) -> ChatPage:
    chat = open_page(permissions=["clipboard-read", "clipboard-write"])
    chat.ask("About rivers", "mock/echo")
    chat.wait_for_answer("About rivers")
    chat.wait_for_chat_url()
    return chat


def test_a_public_chat_is_read_by_others_and_by_no_one_written(
    answered: ChatPage, open_page: OpenPage
) -> None:
    expect(answered.visibility).to_have_text("Private")
    with answered.page.expect_response(lambda r: r.request.method == "PATCH"):
        answered.choose_visibility("public")
    expect(answered.visibility).to_have_text("Public")
    answered.page.reload()
    expect(answered.visibility).to_have_text("Public")
    reader = open_page(answered.page.url)
    expect(reader.last_answer).to_have_text("About rivers")
    expect(reader.page.get_by_text("This chat is shared with you.")).to_be_visible()
    for control in (reader.input, reader.visibility, reader.upvote):
        expect(control).to_be_hidden()
    expect(reader.page.get_by_test_id("message-edit-button")).to_have_count(0)
    expect(reader.page.get_by_role("button", name="Copy message")).to_have_count(2)


def test_a_chat_can_begin_in_public(chat: ChatPage, open_page: OpenPage) -> None:
    expect(chat.visibility).to_have_text("Private")
    chat.choose_visibility("public")
    chat.ask("For all", "mock/echo")
    chat.wait_for_answer("For all")
    reader = open_page(chat.wait_for_chat_url())
    expect(reader.last_answer).to_have_text("For all")


def test_the_link_is_copied(answered: ChatPage) -> None:
    answered.choose("Copy link")
    expect(answered.toast).to_contain_text("only you can open it")
    assert answered.page.evaluate("navigator.clipboard.readText()") == answered.page.url


def test_a_chat_is_exported(answered: ChatPage, tmp_path: Path) -> None:
    with answered.page.expect_download() as saving:
        answered.choose("Export as Markdown")
    assert saving.value.suggested_filename == "About-rivers.md"
    saving.value.save_as(tmp_path / "chat.md")
    text = (tmp_path / "chat.md").read_text()
    assert text == "# About rivers\n\n## You\n\nAbout rivers\n\n## Answer\n\nAbout rivers\n"


def test_a_chat_is_renamed(answered: ChatPage) -> None:
    answered.choose("Rename")
    title = answered.page.get_by_label("Title")
    expect(title).to_have_value("About rivers")
    title.fill("Rivers of Europe")
    title.press("Enter")
    expect(answered.sidebar.chat("Rivers of Europe")).to_be_visible()
    expect(answered.page).to_have_title("Rivers of Europe · RayLM")


@pytest.mark.parametrize("action", ["Archive", "Delete"])
def test_a_chat_goes(answered: ChatPage, action: str) -> None:
    answered.choose(action)
    if action == "Delete":
        answered.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(answered.page).to_have_url(re.compile(r"/$"))
    expect(answered.sidebar.chat("About rivers")).to_be_hidden()
