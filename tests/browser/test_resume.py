"""Nothing is lost: reloads, dropped connections, chats left and found again, a killed gateway."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, environment
from tests.browser.pages.chat import ChatPage

WORDS = " ".join(f"w{number}" for number in range(100))


def test_a_reload_in_the_middle_of_an_answer(chat: ChatPage) -> None:
    chat.ask(WORDS, "mock/slow")
    expect(chat.last_answer).to_contain_text("w9 ")
    chat.page.reload()
    expect(chat.stop_button).to_be_visible()
    expect(chat.last_answer).to_contain_text("w30 ", timeout=10_000)
    chat.stop_button.click()
    expect(chat.send_button).to_be_visible()
    assert WORDS.startswith(chat.last_answer.inner_text())
    expect(chat.answers).to_have_count(1)


def test_a_stream_cut_short_is_taken_up_where_it_broke(chat: ChatPage) -> None:
    """The first response ends cleanly in the middle, as a restarted proxy makes it."""
    resumed: list[str] = []

    def cut(route: Route) -> None:
        whole = route.fetch().text()
        events = whole.split("\n\n")
        route.fulfill(body="\n\n".join(events[:12]) + "\n\n", content_type="text/event-stream")

    chat.page.route("**/api/chat", cut)
    chat.page.on("request", lambda r: resumed.append(r.url) if "/stream" in r.url else None)
    words = " ".join(f"w{number}" for number in range(30))
    chat.ask(words, "mock/echo")
    chat.wait_for_answer(words)
    assert [url.rpartition("?")[2] for url in resumed] == ["offset=12"]
    expect(chat.note).to_be_hidden()
    expect(chat.toast).to_be_hidden()


def test_an_answer_goes_on_while_another_chat_is_read(chat: ChatPage) -> None:
    chat.ask("the slow one", "mock/slow")
    expect(chat.last_answer).to_contain_text("the slow")
    chat.sidebar.new_chat.click()
    chat.ask("the quick one", "mock/echo")
    chat.wait_for_answer("the quick one")
    chat.sidebar.chat("the slow one").click()
    expect(chat.questions.first).to_have_text("the slow one")
    expect(chat.stop_button).to_be_visible()
    before = len(chat.last_answer.inner_text())
    expect(chat.last_answer).to_have_text(re.compile(f".{{{before + 20},}}"))
    chat.stop_button.click()
    expect(chat.note).to_be_visible()


def test_another_tab_sees_the_answer_grow(chat: ChatPage) -> None:
    chat.ask("first", "mock/echo")
    chat.wait_for_answer("first")
    tab = chat.page.context.new_page()
    tab.goto(chat.wait_for_chat_url())
    other = ChatPage(tab)
    other.wait_for_answer("first")
    chat.ask(WORDS, "mock/slow")
    other.come_back()
    expect(other.last_answer).to_contain_text("w3 ")
    expect(other.questions).to_have_count(2)
    other.stop_button.click()
    for page in (chat, other):
        expect(page.send_button).to_be_visible()
        expect(page.note).to_contain_text("You stopped this answer.")
        expect(page.answers).to_have_count(2)
    assert chat.last_answer.inner_text() == other.last_answer.inner_text()


def test_what_another_tab_has_edited_is_seen_on_return(chat: ChatPage) -> None:
    chat.ask("first", "mock/echo")
    chat.wait_for_answer("first")
    tab = chat.page.context.new_page()
    tab.goto(chat.wait_for_chat_url())
    other = ChatPage(tab)
    other.edit(other.questions.first, "second")
    other.wait_for_answer("second")
    chat.come_back()
    chat.wait_for_answer("second")
    expect(chat.questions).to_have_count(1)


def test_a_network_that_is_away_for_a_while(chat: ChatPage) -> None:
    """The connection breaks, a try to resume fails, the next one goes on where it broke."""
    refused: list[str] = []

    def cut(route: Route) -> None:
        events = route.fetch().text().split("\n\n")
        route.fulfill(body="\n\n".join(events[:8]) + "\n\n", content_type="text/event-stream")

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.abort("connectionreset")

    chat.page.route("**/api/chat", cut)
    chat.page.route("**/stream?**", refuse_once)
    words = " ".join(f"w{number}" for number in range(30))
    chat.ask(words, "mock/echo")
    chat.wait_for_answer(words)
    assert len(refused) == 1
    expect(chat.toast).to_be_hidden()


@pytest.fixture
def mortal_gateway(stores: StoreUrls, tmp_path: Path) -> Iterator[GatewayProcess]:
    with GatewayProcess(tmp_path / "log", environment(stores, tmp_path)) as process:
        yield process


def test_a_killed_gateway_leaves_the_partial_answer(
    mortal_gateway: GatewayProcess, browser: Browser
) -> None:
    page = browser.new_page(base_url=mortal_gateway.base_url)
    page.goto("/")
    chat = ChatPage(page)
    chat.ask(WORDS, "mock/slow")
    expect(chat.last_answer).to_contain_text("w9 ")
    mortal_gateway.kill()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    mortal_gateway.start()
    expect(chat.note).to_contain_text("This answer was interrupted.", timeout=20_000)
    expect(chat.last_answer).to_contain_text("w0 w1 w2")
    page.reload()
    expect(chat.note).to_contain_text("This answer was interrupted.")
    chat.choose_model("mock/echo")
    chat.note.get_by_role("button", name="Regenerate").click()
    chat.wait_for_answer(WORDS)
    page.context.close()
