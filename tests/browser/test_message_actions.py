"""What one can do with a message: ask in other words, ask again, go back, judge, delete."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.apps.gateway.harness import eventually
from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage


@pytest.fixture
def answered(chat: ChatPage) -> ChatPage:
    chat.ask("First words", "mock/echo")
    chat.wait_for_answer("First words")
    chat.wait_for_chat_url()
    return chat


def test_editing_a_question_asks_it_again(answered: ChatPage) -> None:
    answered.edit(answered.questions.first, "Other words")
    answered.wait_for_answer("Other words")
    expect(answered.questions).to_have_count(1)
    expect(answered.editor).to_be_hidden()
    answered.page.reload()
    answered.wait_for_answer("Other words")


def test_escape_leaves_the_question_as_it_was(answered: ChatPage) -> None:
    question = answered.questions.first
    question.hover()
    question.get_by_test_id("message-edit-button").click()
    expect(answered.editor).to_be_focused()
    answered.editor.fill("Never mind")
    answered.editor.press("Escape")
    expect(answered.editor).to_be_hidden()
    expect(question.get_by_test_id("message-content")).to_have_text("First words")


def test_branches_are_gone_to_and_fro(answered: ChatPage) -> None:
    answered.edit(answered.questions.first, "Other words")
    answered.wait_for_answer("Other words")
    versions = answered.questions.first.get_by_role("group", name="Versions")
    expect(versions).to_have_text("2/2")
    previous = versions.get_by_role("button", name="Previous version")
    previous.focus()
    answered.page.keyboard.press("Enter")
    expect(versions).to_have_text("1/2")
    answered.wait_for_answer("First words")
    answered.page.reload()
    answered.wait_for_answer("First words")
    versions.get_by_role("button", name="Next version").click()
    answered.wait_for_answer("Other words")
    expect(versions.get_by_role("button", name="Next version")).to_be_disabled()


def test_a_regenerated_answer_stands_beside_the_first(answered: ChatPage) -> None:
    answered.choose_model("mock/reasoning")
    answered.answers.last.get_by_role("button", name="Regenerate answer").click()
    expect(answered.page.get_by_test_id("message-reasoning")).to_be_visible()
    versions = answered.answers.first.get_by_role("group", name="Versions")
    expect(versions).to_have_text("2/2")
    versions.get_by_role("button", name="Previous version").click()
    expect(answered.page.get_by_test_id("message-reasoning")).to_be_hidden()
    expect(versions).to_have_text("1/2")


def test_an_earlier_answer_is_asked_for_again(answered: ChatPage) -> None:
    answered.ask("Second words")
    answered.wait_for_answer("Second words")
    answered.answers.first.hover()
    answered.answers.first.get_by_role("button", name="Regenerate answer").click()
    expect(answered.questions).to_have_count(1)
    answered.wait_for_answer("First words")


def test_an_answer_is_voted_on(answered: ChatPage) -> None:
    answered.upvote.click()
    expect(answered.upvote).to_have_attribute("aria-pressed", "true")
    answered.downvote.click()
    expect(answered.downvote).to_have_attribute("aria-pressed", "true")
    expect(answered.upvote).to_have_attribute("aria-pressed", "false")
    with answered.page.expect_response(lambda r: "/api/vote?" in r.url):
        answered.page.reload()
    expect(answered.downvote).to_have_attribute("aria-pressed", "true")


def test_a_vote_that_fails_is_taken_back(answered: ChatPage) -> None:
    def refuse(route: Route) -> None:
        if route.request.method == "PATCH":
            route.fulfill(status=500, json={"code": "offline:database", "message": "Not now."})
        else:
            route.continue_()

    answered.page.route("**/api/vote", refuse)
    answered.upvote.click()
    expect(answered.toast).to_contain_text("Not now.")
    expect(answered.upvote).to_have_attribute("aria-pressed", "false")


def test_a_message_is_deleted_unless_one_changes_ones_mind(answered: ChatPage) -> None:
    answered.ask("Second words")
    answered.wait_for_answer("Second words")
    question = answered.questions.first
    for undone in (True, False):
        question.hover()
        question.get_by_role("button", name="Delete message").click()
        expect(answered.questions).to_have_count(1)
        if undone:
            answered.page.get_by_role("button", name="Undo").click()
            expect(answered.questions).to_have_count(2)
    page, address = answered.page, answered.page.url
    page.goto("/favicon.svg")  # who leaves will not change their mind
    stored = f"/api/messages?chatId={address.rpartition('/')[2]}"
    eventually(lambda: len(page.request.get(stored).json()["messages"]) == 3)
    page.goto(address)
    expect(answered.answers).to_have_count(2)
    expect(answered.questions).to_have_text([re.compile("Second words")])


def test_actions_are_reached_by_keyboard_and_by_touch(
    answered: ChatPage, open_page: OpenPage
) -> None:
    edit = answered.questions.first.get_by_test_id("message-edit-button")
    edit.focus()
    expect(edit.locator("..")).to_have_css("opacity", "1")
    phone = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.ask("By thumb", "mock/echo")
    phone.wait_for_answer("By thumb")
    button = phone.questions.first.get_by_test_id("message-edit-button")
    expect(button.locator("..")).to_have_css("opacity", "1")
    box = button.bounding_box()
    assert box is not None
    assert min(box["width"], box["height"]) >= 44


def test_one_answer_at_a_time(chat: ChatPage) -> None:
    chat.ask("red green", "mock/slow")
    expect(chat.last_answer).to_contain_text("red")
    chat.edit(chat.questions.first, "blue")
    expect(chat.toast).to_have_text("Please wait for the model to finish its response!")
    chat.stop_button.click()
    expect(chat.send_button).to_be_visible()
