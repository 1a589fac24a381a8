"""The box: files, commands, drafts, keys."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage
from tests.browser.pages.composer import NOTES, PICTURE, Composer

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def composer(chat: ChatPage) -> Composer:
    return Composer(chat.page)


def test_a_picture_goes_along(chat: ChatPage, composer: Composer) -> None:
    chat.choose_model("mock/vision")
    composer.choose_files(PICTURE)
    expect(composer.previews).to_have_count(1)
    expect(composer.previews.locator("img")).to_have_js_property("naturalWidth", 1)
    expect(composer.loader).to_have_count(0)
    chat.ask("What is this?")
    expect(composer.attachments).to_be_hidden()
    expect(chat.last_answer).to_contain_text("image/png")


def test_a_file_may_go_without_words(chat: ChatPage, composer: Composer) -> None:
    chat.choose_model("mock/echo")
    composer.choose_files(NOTES)
    expect(composer.previews).to_contain_text("notes.txt")
    chat.send_button.click()
    expect(chat.last_answer).to_contain_text("Light bends.")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_files_are_dropped_and_pasted(chat: ChatPage, composer: Composer, way: str) -> None:
    chat.choose_model("mock/echo")
    getattr(composer, way)("plan.md", "text/markdown", "# A plan")
    expect(composer.previews).to_contain_text("plan.md")
    expect(composer.loader).to_have_count(0)
    chat.ask("Read it")
    expect(chat.last_answer).to_contain_text("A plan")


def test_an_upload_shows_how_far_it_is_and_can_be_taken_back(
    chat: ChatPage, composer: Composer
) -> None:
    held: list[Route] = []
    chat.page.route("**/api/files/upload", lambda route: held.append(route))
    composer.choose_files(NOTES)
    expect(composer.loader).to_be_visible()
    chat.input.fill("Too early")
    expect(chat.send_button).to_be_disabled()
    chat.input.press("Enter")
    expect(chat.toast).to_contain_text("Please wait until all files are uploaded.")
    chat.page.get_by_role("button", name="Remove notes.txt").click()
    expect(composer.previews).to_have_count(0)
    expect(chat.send_button).to_be_enabled()


def test_a_failed_upload_says_why_and_is_tried_again(chat: ChatPage, composer: Composer) -> None:
    chat.page.route("**/api/files/upload", lambda route: route.abort())
    composer.choose_files(NOTES)
    expect(composer.previews.get_by_role("alert")).to_contain_text("RayLM does not answer")
    chat.page.unroute("**/api/files/upload")
    chat.page.get_by_role("button", name="Upload notes.txt again").click()
    expect(composer.previews.get_by_role("alert")).to_have_count(0)
    expect(composer.loader).to_have_count(0)


def test_what_cannot_be_attached_is_refused_in_words(chat: ChatPage, composer: Composer) -> None:
    chat.choose_model("mock/echo")
    composer.drop("clip.mp4", "video/mp4", "film")
    expect(chat.toast.filter(has_text="clip.mp4 cannot be attached")).to_be_visible()
    composer.drop("dot.png", "image/png", "dot")
    expect(chat.toast.filter(has_text="Mock echo cannot see images")).to_be_visible()
    expect(composer.previews).to_have_count(0)
    chat.choose_model("mock/vision")
    composer.drop("dot.png", "image/png", "no picture at all")
    # Those bytes are text, whatever the name says: the gateway keeps it as such.
    expect(composer.previews).to_have_count(1)
    composer.drop("blob", "", "\x00\x01\x02")
    expect(composer.previews.get_by_role("alert")).to_contain_text("the file is not JPEG, PNG")


def test_a_file_that_is_too_large_is_refused_in_words(chat: ChatPage, composer: Composer) -> None:
    composer.choose_files(
        {"name": "long.txt", "mimeType": "text/plain", "buffer": b"a" * 11_000_000}
    )
    expect(composer.previews.get_by_role("alert")).to_contain_text("too large")


def test_backspace_in_an_empty_box_removes_the_last_file(
    chat: ChatPage, composer: Composer
) -> None:
    composer.choose_files(NOTES, {**NOTES, "name": "more.txt"})
    expect(composer.previews).to_have_count(2)
    chat.input.fill("x")
    chat.input.press("Backspace")
    expect(composer.previews).to_have_count(2)
    chat.input.press("Backspace")
    expect(composer.previews).to_have_count(1)
    expect(composer.previews).to_contain_text("notes.txt")


def test_a_draft_is_kept_for_each_chat_with_its_files(chat: ChatPage, composer: Composer) -> None:
    chat.ask("First chat", "mock/echo")
    chat.wait_for_answer("First chat")
    chat.input.fill("Half a thought")
    composer.choose_files(NOTES)
    expect(composer.loader).to_have_count(0)
    chat.sidebar.new_chat.click()
    expect(chat.input).to_have_value("")
    expect(composer.previews).to_have_count(0)
    chat.sidebar.chat("First chat").click()
    expect(chat.input).to_have_value("Half a thought")
    chat.page.reload()
    expect(chat.input).to_have_value("Half a thought")
    expect(composer.previews).to_contain_text("notes.txt")
    chat.send_button.click()
    expect(chat.last_answer).to_contain_text("Half a thought")
    chat.page.reload()
    expect(chat.input).to_have_value("")
    expect(composer.previews).to_have_count(0)


def test_a_message_that_never_arrived_is_there_after_a_reload(
    chat: ChatPage, composer: Composer
) -> None:
    chat.choose_model("mock/echo")
    composer.choose_files(NOTES)
    expect(composer.loader).to_have_count(0)
    chat.page.route("**/api/chat", lambda route: route.abort())
    chat.ask("Lost?")
    expect(chat.toast).to_contain_text("RayLM does not answer")
    expect(chat.note.get_by_role("button", name="Try again")).to_be_visible()
    chat.page.unroute("**/api/chat")
    chat.page.reload()
    expect(chat.input).to_have_value("Lost?")
    expect(composer.previews).to_contain_text("notes.txt")
    chat.send_button.click()
    expect(chat.last_answer).to_contain_text("Lost?")


def test_a_second_message_waits_for_the_answer(chat: ChatPage) -> None:
    chat.ask("red green blue", "mock/slow")
    expect(chat.last_answer).to_contain_text("red")
    chat.input.fill("And another thing")
    chat.input.press("Enter")
    expect(chat.toast).to_have_text("Please wait for the model to finish its response!")
    expect(chat.input).to_have_value("And another thing")
    expect(chat.questions).to_have_count(1)
    chat.stop_button.click()
    chat.send_button.click()
    expect(chat.questions).to_have_count(2)
    chat.stop_button.click()


def test_commands_are_chosen_by_keyboard(chat: ChatPage, composer: Composer) -> None:
    chat.input.press_sequentially("/")
    expect(composer.commands.get_by_role("option")).to_have_count(8)
    assert composer.active_command() == "/new"
    chat.input.press("ArrowUp")
    assert composer.active_command() == "/help"
    chat.input.press("ArrowDown")
    chat.input.press("ArrowDown")
    assert composer.active_command() == "/clear"
    chat.input.press("Escape")
    expect(composer.commands).to_be_hidden()
    chat.input.press_sequentially("th")
    expect(composer.commands.get_by_role("option")).to_have_count(1)
    chat.input.press("Tab")
    expect(chat.input).to_have_value("/theme ")
    chat.input.press_sequentially("dark")
    chat.input.press("Enter")
    expect(chat.html).to_have_class("dark")
    expect(chat.input).to_have_value("")
    expect(chat.questions).to_have_count(0)


def test_what_only_looks_like_a_command_is_sent(chat: ChatPage, composer: Composer) -> None:
    chat.choose_model("mock/echo")
    chat.input.press_sequentially("/etc/hosts")
    expect(composer.commands).to_be_hidden()
    chat.input.press("Enter")
    chat.wait_for_answer("/etc/hosts")


def test_commands_for_the_chat(chat: ChatPage) -> None:
    def command(text: str) -> None:
        chat.input.fill(text)
        chat.input.press("Enter")

    command("/rename Nothing here")
    expect(chat.toast).to_contain_text("This chat has no messages yet.")
    command("/model echo")
    expect(chat.model_selector).to_have_text("Mock echo")
    chat.ask("Something")
    chat.wait_for_answer("Something")
    command("/rename A better name")
    expect(chat.sidebar.chat("A better name")).to_be_visible()
    command("/clear")
    chat.page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(chat.questions).to_have_count(0)
    chat.page.reload()
    expect(chat.suggestions).to_be_visible()
    expect(chat.sidebar.chat("A better name")).to_be_visible()
    command("/delete")
    chat.page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(chat.sidebar.chat("A better name")).to_have_count(0)
    expect(chat.page).to_have_url(re.compile(r":\d+/$"))


def test_all_chats_are_purged_after_a_yes(chat: ChatPage) -> None:
    chat.ask("One", "mock/echo")
    chat.wait_for_answer("One")
    chat.input.fill("/purge")
    chat.input.press("Enter")
    chat.page.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()
    expect(chat.sidebar.chat("One")).to_be_visible()
    chat.input.fill("/purge")
    chat.input.press("Enter")
    chat.page.get_by_role("alertdialog").get_by_role("button", name="Delete all").click()
    expect(chat.sidebar.chat("One")).to_have_count(0)


def test_new_and_model_and_help(chat: ChatPage) -> None:
    chat.ask("Here", "mock/echo")
    chat.wait_for_answer("Here")
    chat.input.fill("/new")
    chat.input.press("Enter")
    expect(chat.suggestions).to_be_visible()
    chat.input.fill("/model")
    chat.input.press("Enter")
    search = chat.page.get_by_placeholder("Search models...")
    expect(search).to_be_focused()
    search.press("Escape")
    chat.input.fill("/help")
    chat.input.press("Enter")
    expect(chat.page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()


def test_the_keyboard_map(chat: ChatPage) -> None:
    dialog = chat.page.get_by_role("dialog", name="Keyboard shortcuts")
    chat.input.press("?")
    expect(dialog).to_be_hidden()
    expect(chat.input).to_have_value("?")
    chat.input.press("Control+/")
    expect(dialog).to_contain_text("Open or close the sidebar")
    chat.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(chat.input).to_be_focused()
    chat.send_button.focus()
    chat.page.keyboard.press("?")
    expect(dialog).to_be_visible()


def test_on_a_phone_the_keyboard_does_not_come_up_by_itself(open_page: OpenPage) -> None:
    chat = open_page(**PHONE)
    expect(chat.suggestions).to_be_visible()
    expect(chat.input).not_to_be_focused()
    chat.ask("From the train", "mock/echo")
    chat.wait_for_answer("From the train")
    expect(chat.input).not_to_be_focused()
    for control in (chat.send_button, Composer(chat.page).attach, chat.model_selector):
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44


def test_the_box_speaks_german(open_page: OpenPage) -> None:
    chat = open_page(locale="de-DE")
    expect(chat.input).to_have_attribute("placeholder", re.compile("^Fragen"))
    chat.input.press_sequentially("/")
    expect(Composer(chat.page).commands).to_contain_text("Neuen Chat beginnen")
