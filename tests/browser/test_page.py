"""The page itself: themes, keyboard, small screens, what it loads, what assistive tools find."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.pages.chat import ChatPage

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
NARROWEST = {"viewport": {"width": 320, "height": 640}}
CLASS_AT_FIRST_PAINT = """
new PerformanceObserver(() => {
  sessionStorage.themeAtPaint ??= document.documentElement.className || "light";
}).observe({ type: "paint", buffered: true });
"""
SCRIPTS = """performance
.getEntriesByType("resource").map(({ name }) => name).filter((name) => name.endsWith(".js"))"""


def test_the_theme_is_chosen_kept_and_never_flashes(chat: ChatPage) -> None:
    expect(chat.html).not_to_have_class("dark")
    chat.sidebar.choose_theme("Dark")
    expect(chat.html).to_have_class("dark")
    chat.page.add_init_script(CLASS_AT_FIRST_PAINT)
    chat.page.reload()
    expect(chat.input).to_be_visible()
    assert chat.page.evaluate("sessionStorage.themeAtPaint") == "dark"
    chat.sidebar.choose_theme("Light")
    expect(chat.html).not_to_have_class("dark")


def test_the_system_theme_is_followed(open_page: OpenPage) -> None:
    chat = open_page(color_scheme="dark")
    expect(chat.html).to_have_class("dark")
    chat.page.emulate_media(color_scheme="light")
    expect(chat.html).not_to_have_class("dark")


def test_everything_comes_from_the_gateway(open_page: OpenPage) -> None:
    chat = open_page()
    hosts: set[str] = set()
    chat.page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    chat.page.reload()
    chat.ask("```python\nprint(1)\n```", "mock/echo")
    expect(chat.last_answer.locator("pre .code-line span").first).to_be_visible()
    assert hosts == {urlsplit(chat.page.url).netloc}


def test_a_visit_asks_for_few_files(chat: ChatPage) -> None:
    expect(chat.sidebar.chats).to_be_visible()
    assert len(chat.page.evaluate(SCRIPTS)) <= 12


def test_who_has_chats_has_what_shows_them_at_hand(open_page: OpenPage) -> None:
    chat = open_page()
    chat.ask("Hello", "mock/echo")
    chat.wait_for_answer("Hello")
    chat.page.goto("/")
    chat.page.wait_for_function(f"() => {SCRIPTS}.some((name) => name.includes('/Markdown-'))")


def test_keyboard_alone_is_enough(chat: ChatPage) -> None:
    keyboard = chat.page.keyboard
    expect(chat.input).to_be_focused()
    keyboard.type("Typed")
    keyboard.press("Enter")
    chat.wait_for_answer("Typed")
    expect(chat.input).to_be_focused()
    keyboard.press("Control+b")
    expect(chat.sidebar.chats).to_be_hidden()
    keyboard.press("Control+b")
    keyboard.press("Control+Shift+o")
    expect(chat.suggestions).to_be_visible()
    expect(chat.input).to_be_focused()
    chat.sidebar.chat("Typed").focus()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(chat.page.get_by_role("menuitem", name="Rename")).to_be_focused()
    keyboard.press("End")
    expect(chat.page.get_by_role("menuitem", name="Delete")).to_be_focused()
    keyboard.press("Enter")
    expect(chat.toast).to_contain_text("“Typed” deleted")
    expect(chat.sidebar.chat("Typed")).to_have_count(0)


def test_on_a_phone_the_sidebar_is_a_sheet(open_page: OpenPage) -> None:
    chat = open_page(**PHONE)
    chat.ask("From the train", "mock/echo")
    chat.wait_for_answer("From the train")
    expect(chat.sidebar.chats).to_be_hidden()
    chat.sidebar.toggle.click()
    sheet = chat.page.get_by_role("dialog", name="Sidebar")
    expect(sheet).to_be_visible()
    chat.sidebar.chat("From the train").click()
    expect(sheet).to_be_hidden()


@pytest.mark.parametrize("screen", [PHONE, NARROWEST], ids=["phone", "narrowest"])
def test_nothing_is_wider_than_a_small_screen(
    open_page: OpenPage, screen: dict[str, object]
) -> None:
    chat = open_page(**screen)
    expect(chat.suggestions).to_be_visible()
    chat.ask("x" * 300 + "\n\n```python\n" + "y = 1; " * 60 + "\n```", "mock/echo")
    expect(chat.last_answer.locator("pre")).to_be_visible()
    assert chat.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for control in (chat.input, chat.send_button, chat.model_selector):
        expect(control).to_be_in_viewport(ratio=1)


def test_assistive_tools_are_told(chat: ChatPage) -> None:
    chat.ask("red green", "mock/slow")
    log = chat.page.get_by_role("log", name="Messages")
    expect(log).to_have_attribute("aria-busy", "true")
    expect(chat.page.get_by_role("status").filter(has_text="Answering")).to_be_attached()
    chat.stop_button.click()
    expect(log).to_have_attribute("aria-busy", "false")
    unnamed = chat.page.evaluate(
        """[...document.querySelectorAll("button, a[href], textarea, input")]
        .filter(e => !(e.ariaLabel || e.innerText.trim())).map(e => e.outerHTML)"""
    )
    assert unnamed == []


def test_less_motion_when_asked_for(open_page: OpenPage) -> None:
    chat = open_page(reduced_motion="reduce")
    chat.ask("Anybody?", "mock/silent")
    duration = chat.waiting.locator("path").first.evaluate(
        "ray => parseFloat(getComputedStyle(ray).animationDuration)"
    )
    assert duration < 0.1
    chat.stop_button.click()
