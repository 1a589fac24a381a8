"""What people are told when something goes wrong, and that their text is never lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.pages.chat import ChatPage


def test_a_model_that_fails_in_the_middle(chat: ChatPage) -> None:
    chat.ask("one two three four five six", "mock/flaky")
    expect(chat.toast).to_contain_text("The model stopped answering.")
    expect(chat.last_answer).to_have_text("one two three four five")
    chat.choose_model("mock/echo")
    chat.note.get_by_role("button", name="Regenerate").click()
    chat.wait_for_answer("one two three four five six")


def test_offline_keeps_the_text(chat: ChatPage) -> None:
    chat.choose_model("mock/echo")
    chat.page.context.set_offline(True)
    expect(chat.page.get_by_text("You are offline.")).to_be_visible()
    chat.ask("Are you there?")
    expect(chat.toast).to_contain_text("You are offline.")
    expect(chat.input).to_have_value("Are you there?")
    chat.page.context.set_offline(False)
    expect(chat.page.get_by_text("Answers go on when the network is back")).to_be_hidden()
    chat.send_button.click()
    chat.wait_for_answer("Are you there?")


def test_a_draft_survives_a_reload(chat: ChatPage) -> None:
    chat.input.fill("Not finished y")
    chat.page.reload()
    expect(chat.input).to_have_value("Not finished y")


@pytest.fixture
def strict_gateway(stores: StoreUrls, tmp_path: Path) -> Iterator[GatewayProcess]:
    limits = {"RAYLM_MAX_ANSWERS_PER_USER": "1"}
    with GatewayProcess(tmp_path / "log", environment(stores, tmp_path, **limits)) as process:
        yield process


def test_a_rate_limit_is_explained_and_the_message_can_be_sent_again(
    strict_gateway: GatewayProcess, browser: Browser
) -> None:
    page = browser.new_page(base_url=strict_gateway.base_url)
    page.goto("/")
    chat = ChatPage(page)
    chat.ask("Keep writing", "mock/silent")
    expect(chat.waiting).to_be_visible()
    chat.sidebar.new_chat.click()
    chat.ask("One more", "mock/echo")
    expect(chat.toast).to_contain_text("You have reached the limit for messages or answers")
    expect(chat.note).to_contain_text("This message was not answered.")
    chat.sidebar.chat("Keep writing").click()
    chat.stop_button.click()
    expect(chat.send_button).to_be_visible()
    chat.page.go_back()
    chat.note.get_by_role("button", name="Try again").click()
    chat.wait_for_answer("One more")
    page.context.close()
