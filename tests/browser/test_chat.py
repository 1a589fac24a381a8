"""Asking, reading, stopping, asking again."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage

MARKDOWN = """\
# Light

It **bends**, says [Snell](https://example.org).

```python
def bend(angle: float) -> float:
    return angle
```

| medium | index |
|---|---|
| water | 1.33 |

<script>document.title = "taken over"</script>
![spy](https://example.org/pixel.png)
"""


def test_a_visitor_gets_an_answer_without_any_login(chat: ChatPage) -> None:
    expect(chat.send_button).to_be_disabled()
    chat.ask("Why is the sky blue?", "mock/echo")
    chat.wait_for_answer("Why is the sky blue?")
    chat.wait_for_chat_url()
    expect(chat.questions).to_have_count(1)
    expect(chat.input).to_have_value("")
    expect(chat.suggestions).to_be_hidden()
    expect(chat.page).to_have_title("Why is the sky blue? · RayLM")


def test_a_conversation_goes_on(chat: ChatPage) -> None:
    for count, question in enumerate(("First", "Second"), start=1):
        chat.ask(question)
        expect(chat.answers).to_have_count(count)
        chat.wait_for_answer(question)


def test_a_suggestion_is_asked_by_one_click(chat: ChatPage) -> None:
    suggestion = chat.suggestions.get_by_role("button").first
    text = suggestion.inner_text()
    suggestion.click()
    chat.wait_for_answer(text)
    chat.wait_for_chat_url()


def test_a_query_in_the_address_waits_for_a_person(open_page: OpenPage) -> None:
    chat = open_page("/?query=Hello")
    expect(chat.input).to_have_value("Hello")
    expect(chat.questions).to_have_count(0)


def test_enter_sends_and_shift_enter_breaks_the_line(chat: ChatPage) -> None:
    chat.input.press_sequentially("one")
    height = chat.input.evaluate("box => box.clientHeight")
    chat.input.press("Shift+Enter")
    chat.input.press_sequentially("two")
    assert chat.input.evaluate("box => box.clientHeight") > height
    chat.input.press("Enter")
    expect(chat.questions.first).to_have_text("one\ntwo")


def test_enter_that_ends_a_composition_does_not_send(chat: ChatPage) -> None:
    chat.input.fill("にほん")
    chat.input.dispatch_event("keydown", {"key": "Enter", "isComposing": True})
    expect(chat.questions).to_have_count(0)
    expect(chat.input).to_have_value("にほん")


def test_stop_keeps_what_was_said_and_says_so(chat: ChatPage) -> None:
    chat.ask("red green blue", "mock/slow")
    expect(chat.last_answer).to_contain_text("red green")
    chat.stop_button.click()
    expect(chat.send_button).to_be_visible()
    expect(chat.note).to_contain_text("You stopped this answer.")
    kept = chat.last_answer.inner_text()
    chat.page.reload()
    expect(chat.note).to_contain_text("You stopped this answer.")
    expect(chat.last_answer).to_have_text(kept)


def test_stop_before_the_first_word(chat: ChatPage) -> None:
    chat.ask("Anybody?", "mock/silent")
    expect(chat.waiting).to_be_visible()
    chat.stop_button.click()
    expect(chat.waiting).to_be_hidden()
    expect(chat.send_button).to_be_visible()
    expect(chat.note.get_by_role("button", name="Try again")).to_be_visible()


def test_a_stop_that_is_not_answered_hangs_up(chat: ChatPage) -> None:
    chat.page.route("**/stop", lambda route: route.fulfill(status=204))
    chat.ask("red green blue " * 10, "mock/slow")
    expect(chat.last_answer).to_contain_text("red")
    chat.stop_button.click()
    expect(chat.note).to_contain_text("You stopped this answer.")
    expect(chat.note.get_by_role("button", name="Regenerate")).to_be_visible()


def test_regenerate_replaces_the_answer(chat: ChatPage) -> None:
    chat.ask("again", "mock/slow")
    expect(chat.last_answer).to_contain_text("again")
    chat.stop_button.click()
    chat.choose_model("mock/echo")
    chat.note.get_by_role("button", name="Regenerate").click()
    chat.wait_for_answer("again")
    expect(chat.note).to_be_hidden()
    expect(chat.answers).to_have_count(1)
    expect(chat.questions).to_have_count(1)


def test_markdown_is_set_and_cannot_do_harm(chat: ChatPage) -> None:
    chat.ask(MARKDOWN, "mock/echo")
    answer = chat.last_answer
    expect(answer.get_by_role("heading", name="Light")).to_be_visible()
    expect(answer.locator("strong")).to_have_text("bends")
    expect(answer.get_by_role("cell", name="1.33")).to_be_visible()
    expect(answer.locator("pre .code-line span").first).to_have_attribute(
        "style", re.compile("--shiki-dark")
    )
    expect(answer.get_by_role("link", name="Snell")).to_have_attribute(
        "href", "https://example.org/"
    )
    expect(answer.locator("img, script")).to_have_count(0)
    expect(chat.page).not_to_have_title("taken over")


def test_copying_a_message(open_page: OpenPage) -> None:
    chat = open_page(permissions=["clipboard-read", "clipboard-write"])
    chat.ask("Copy *me*", "mock/echo")
    chat.wait_for_answer("Copy me")
    chat.answers.last.get_by_role("button", name="Copy message").click()
    expect(chat.answers.last.get_by_role("button", name="Copied")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "Copy *me*"


def test_thoughts_are_shown_and_fold_away(chat: ChatPage) -> None:
    chat.ask("How many words?", "mock/reasoning")
    chat.wait_for_answer(re.compile(r"How many words\?$"))
    toggle = chat.page.get_by_test_id("message-reasoning-toggle")
    expect(toggle).to_have_attribute("aria-expanded", "false")
    expect(toggle).to_have_text("Thought for 1 second")
    toggle.click()
    expect(chat.page.get_by_test_id("message-reasoning")).to_contain_text("has 3 words")
    chat.page.reload()
    expect(toggle).to_have_text("Thought for 1 second")


def test_a_base_model_is_announced_as_plain_completion(chat: ChatPage) -> None:
    note = chat.page.get_by_text("Plain completion: this model continues text")
    expect(note).to_be_hidden()
    chat.choose_model("mock/base")
    expect(note).to_be_visible()
    chat.page.reload()
    expect(chat.model_selector).to_contain_text("Mock base")


def test_models_are_searched_by_keyboard(chat: ChatPage) -> None:
    expect(chat.model_selector).to_have_text("Mock echo")
    chat.model_selector.focus()
    chat.page.keyboard.press("Enter")
    search = chat.page.get_by_placeholder("Search models...")
    expect(search).to_be_focused()
    expect(chat.page.get_by_text("Available")).to_be_visible()
    search.press_sequentially("reason")
    chat.page.keyboard.press("Enter")
    expect(chat.model_selector).to_contain_text("Mock reasoning")
    chat.model_selector.press("Enter")
    expect(search).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(search).to_be_hidden()


def test_the_newest_words_stay_in_view_until_one_scrolls_away(open_page: OpenPage) -> None:
    chat = open_page(viewport={"width": 800, "height": 420})
    lines = "\n\n".join(f"Line {number}" for number in range(60))
    chat.ask(lines, "mock/echo")
    expect(chat.last_answer.get_by_text("Line 59")).to_be_in_viewport()
    expect(chat.scroll_button).to_be_hidden()
    chat.page.get_by_role("log").hover()
    chat.page.mouse.wheel(0, -1500)
    expect(chat.last_answer.get_by_text("Line 59")).not_to_be_in_viewport()
    chat.scroll_button.click()
    expect(chat.last_answer.get_by_text("Line 59")).to_be_in_viewport()


def test_a_picture_is_seen_and_sources_are_named(chat: ChatPage) -> None:
    chat.ask("A dot, please.", "mock/picture")
    for _ in range(2):
        expect(chat.last_answer).to_contain_text("I remember nothing.")
        picture = chat.answers.last.get_by_test_id("message-image")
        expect(picture).to_have_js_property("naturalWidth", 1)
        source = chat.answers.last.get_by_test_id("message-sources").get_by_role("link")
        expect(source).to_contain_text("On dots · example.com")
        expect(source).to_have_attribute("href", "https://example.com/dots")
        chat.wait_for_chat_url()
        chat.page.reload()
