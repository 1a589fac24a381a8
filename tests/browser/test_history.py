"""The list of chats, and the addresses of chats."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from raylm_apps.gateway.auth import COOKIE
from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import eventually
from tests.browser.conftest import OpenPage
from tests.browser.many_chats import ask, user_id, write_chats
from tests.browser.pages.chat import ChatPage

MANY = 10_000
MOST_ROWS = 80
LONGEST_TASK_MS = 100
UNDO_MS = 6_000
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture
def three(chat: ChatPage) -> ChatPage:
    """The page with chats `One`, `Two` and `Three`, the newest first."""
    expect(chat.input).to_be_visible()  # the session is there
    for title in ("One", "Two", "Three"):
        ask(chat.page, title)
    chat.page.reload()
    expect(chat.sidebar.chat("Three")).to_be_visible()
    return chat


def kept(chat: ChatPage) -> list[str]:
    """As the gateway has them."""
    chats = chat.page.request.get("/api/history").json()["chats"]
    return [chat["title"] for chat in chats]


def refuse(route: Route) -> None:
    route.fulfill(status=503, json={"code": "offline:api", "message": "Come back later."})


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
    field = chat.sidebar.title_field
    expect(field).to_be_focused()
    field.fill("Discarded")
    field.press("Escape")
    expect(chat.sidebar.chat("Old name")).to_be_focused()
    chat.page.keyboard.press("F2")
    field.fill("New name")
    field.press("Enter")
    expect(chat.sidebar.chat("New name")).to_be_focused()
    chat.page.reload()
    expect(chat.sidebar.chat("New name")).to_be_visible()
    expect(chat.page).to_have_title("New name · RayLM")


def test_archived_chats_are_kept_aside(three: ChatPage) -> None:
    sidebar = three.sidebar
    sidebar.choose("Two", "Archive")
    expect(sidebar.chat("Two")).to_have_count(0)
    three.page.reload()
    expect(sidebar.chat("Three")).to_be_visible()
    expect(three.sidebar.titles).to_have_text(["Three", "One"])
    sidebar.choose_for_all("Archived chats")
    expect(sidebar.chat("Two")).to_be_visible()
    expect(three.sidebar.titles).to_have_text(["Two"])
    sidebar.choose("Two", "Unarchive")
    expect(sidebar.chats).to_contain_text("Your chats will appear here.")
    sidebar.back.click()
    expect(sidebar.chat("Two")).to_be_visible()
    expect(three.sidebar.titles).to_have_text(["Three", "Two", "One"])


def test_a_deleted_chat_comes_back_when_undone(three: ChatPage) -> None:
    deletions: list[str] = []
    three.page.on("request", lambda r: deletions.append(r.url) if r.method == "DELETE" else None)
    three.sidebar.choose("Two", "Delete")
    expect(three.sidebar.chat("Two")).to_have_count(0)
    expect(three.toast).to_contain_text("“Two” deleted")
    three.sidebar.undo.click()
    expect(three.sidebar.chat("Two")).to_be_visible()
    expect(three.toast).to_be_hidden()
    three.page.wait_for_timeout(500)
    assert not deletions
    expect(three.sidebar.titles).to_have_text(["Three", "Two", "One"])


def test_a_deleted_chat_is_gone_once_it_is_too_late(three: ChatPage) -> None:
    three.page.clock.install()
    with three.page.expect_request(lambda r: r.method == "DELETE"):
        three.sidebar.choose("Two", "Delete")
        expect(three.sidebar.chat("Two")).to_have_count(0)
        three.page.mouse.move(600, 600)  # a toast under the mouse waits
        expect(three.toast).to_be_visible()
        three.page.clock.fast_forward(UNDO_MS)
    expect(three.toast).to_be_hidden()
    three.page.reload()
    expect(three.sidebar.chat("Three")).to_be_visible()
    expect(three.sidebar.titles).to_have_text(["Three", "One"])


def test_leaving_the_page_deletes_at_once(three: ChatPage) -> None:
    three.sidebar.choose("Two", "Delete")
    expect(three.toast).to_be_visible()
    three.page.reload()
    expect(three.sidebar.chat("Three")).to_be_visible()
    expect(three.sidebar.chat("Two")).to_have_count(0)
    eventually(lambda: kept(three) == ["Three", "One"], within_s=UNDO_MS / 2_000)


def test_the_open_chat_is_left_when_it_is_deleted(chat: ChatPage) -> None:
    chat.ask("Doomed", "mock/echo")
    chat.wait_for_answer("Doomed")
    chat.sidebar.choose("Doomed", "Delete")
    expect(chat.page).to_have_url(re.compile(r"/$"))
    expect(chat.sidebar.chats).to_contain_text("Your chats will appear here.")


def test_all_chats_are_deleted_after_asking(three: ChatPage) -> None:
    three.sidebar.choose_for_all("Delete all chats")
    dialog = three.page.get_by_role("alertdialog", name="Delete all chats?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(three.sidebar.chat("One")).to_be_visible()
    three.sidebar.choose_for_all("Delete all chats")
    dialog.get_by_role("button", name="Delete all").click()
    expect(three.sidebar.chats).to_contain_text("Your chats will appear here.")
    three.page.reload()
    expect(three.sidebar.chats).to_contain_text("Your chats will appear here.")


def test_several_chats_are_chosen(three: ChatPage) -> None:
    sidebar = three.sidebar
    sidebar.choose("Two", "Select")
    expect(sidebar.selection).to_contain_text("1 selected")
    expect(sidebar.box("Two")).to_be_checked()
    sidebar.box("One").click()
    expect(sidebar.selection).to_contain_text("2 selected")
    sidebar.selection.get_by_role("button", name="Archive").click()
    expect(sidebar.box("Two")).to_have_count(0)
    expect(sidebar.selection).to_contain_text("0 selected")
    three.page.keyboard.press("Escape")
    sidebar.selection.get_by_role("button", name="End selection").click()
    expect(three.sidebar.titles).to_have_text(["Three"])
    sidebar.choose_for_all("Archived chats")
    expect(sidebar.chat("Two")).to_be_visible()
    sidebar.chat("Two").click(modifiers=["ControlOrMeta"])
    sidebar.box("One").click(modifiers=["Shift"])
    expect(sidebar.selection).to_contain_text("2 selected")
    sidebar.selection.get_by_role("button", name="Delete").click()
    expect(three.toast).to_contain_text("2 chats deleted")
    expect(sidebar.chats).to_contain_text("Your chats will appear here.")
    sidebar.undo.click()
    expect(sidebar.box("One")).to_be_visible()


@pytest.mark.parametrize("action", ["Archive", "Rename", "Delete"])
def test_what_the_gateway_refuses_is_taken_back(three: ChatPage, action: str) -> None:
    sidebar = three.sidebar
    three.page.route(re.compile("/api/chat"), refuse)
    three.page.clock.install()
    sidebar.choose("Two", action)
    if action == "Rename":
        sidebar.title_field.fill("Refused")
        sidebar.title_field.press("Enter")
    elif action == "Delete":
        expect(sidebar.chat("Two")).to_have_count(0)
        three.page.mouse.move(600, 600)
        expect(three.toast).to_be_visible()
        three.page.clock.fast_forward(UNDO_MS)
    expect(three.toast.filter(has_text="Come back later.")).to_be_visible()
    expect(sidebar.chat("Two")).to_be_visible()
    expect(sidebar.chat("Refused")).to_have_count(0)
    expect(three.sidebar.titles).to_have_text(["Three", "Two", "One"])


def test_the_list_by_keyboard_alone(three: ChatPage) -> None:
    sidebar, keyboard = three.sidebar, three.page.keyboard
    sidebar.chat("Three").focus()
    keyboard.press("ArrowDown")
    expect(sidebar.chat("Two")).to_be_focused()
    keyboard.press("End")
    expect(sidebar.chat("One")).to_be_focused()
    keyboard.press("Home")
    expect(sidebar.chat("Three")).to_be_focused()
    keyboard.press("ContextMenu")
    expect(sidebar.item("Rename")).to_be_visible()
    keyboard.press("Escape")
    expect(sidebar.chat("Three")).to_be_focused()
    keyboard.press("Shift+F10")
    expect(sidebar.item("Rename")).to_be_visible()
    keyboard.press("Escape")
    expect(sidebar.chat("Three")).to_be_focused()
    keyboard.press("Delete")
    expect(sidebar.chat("Three")).to_have_count(0)
    expect(sidebar.chat("Two")).to_be_focused()
    keyboard.press("Enter")
    expect(three.last_answer).to_have_text("Two")
    expect(sidebar.chat("Two")).to_have_attribute("aria-current", "page")
    expect(sidebar.chats.locator("[data-key][tabindex='0']")).to_have_count(1)


def test_dots_tell_of_answers_elsewhere(chat: ChatPage) -> None:
    sidebar = chat.sidebar
    chat.ask("red green blue " * 8, "mock/slow")
    expect(chat.last_answer).to_contain_text("red")
    title = "red green blue"
    row = sidebar.chats.get_by_role("listitem").filter(has_text=title)
    expect(row.get_by_test_id("chat-answering")).to_be_attached()
    sidebar.new_chat.click()
    expect(row.get_by_test_id("chat-unread")).to_be_attached(timeout=20_000)
    expect(row.get_by_test_id("chat-answering")).to_have_count(0)
    chat.page.reload()
    expect(row.get_by_test_id("chat-unread")).to_be_attached()
    row.get_by_role("link").click()
    expect(chat.last_answer).to_contain_text("red")
    expect(row.get_by_test_id("chat-unread")).to_have_count(0)


def test_dots_tell_of_answers_on_another_device(chat: ChatPage, open_page: OpenPage) -> None:
    expect(chat.input).to_be_visible()
    session = next(c["value"] for c in chat.page.context.cookies() if c["name"] == COOKIE)
    phone = open_page(session=session)
    expect(phone.sidebar.chats).to_contain_text("Your chats will appear here.")
    chat.ask("red green blue", "mock/slow")
    expect(chat.last_answer).to_contain_text("red")
    phone.page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")
    expect(phone.sidebar.dot("red green blue", "answering")).to_be_attached()
    chat.stop_button.click()
    expect(phone.sidebar.dot("red green blue", "unread")).to_be_attached()
    phone.sidebar.chat("red green blue").click()
    expect(phone.last_answer).to_contain_text("red")
    expect(phone.sidebar.dot("red green blue", "unread")).to_have_count(0)
    expect(chat.sidebar.dot("red green blue", "unread")).to_have_count(0)


def test_another_tab_shows_changes_when_it_is_looked_at(three: ChatPage) -> None:
    other = ChatPage(three.page.context.new_page())
    other.page.goto(three.page.url)
    expect(other.sidebar.chat("Two")).to_be_visible()
    with three.page.expect_response(lambda r: r.request.method == "PATCH"):
        three.sidebar.choose("Two", "Archive")
    other.page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")
    expect(other.sidebar.chat("Two")).to_have_count(0)
    expect(other.sidebar.chat("One")).to_be_visible()


def test_on_a_phone_the_sheet_has_it_all(open_page: OpenPage) -> None:
    chat = open_page(**PHONE)
    expect(chat.input).to_be_visible()
    ask(chat.page, "From the train")
    ask(chat.page, "From the bus")
    chat.page.reload()
    chat.sidebar.toggle.click()
    link = chat.sidebar.chat("From the train")
    box = link.bounding_box()
    assert box is not None
    assert box["height"] >= 43
    options = chat.page.get_by_role("button", name="Options for From the train")
    options.tap()
    chat.sidebar.item("Archive").tap()
    expect(link).to_have_count(0)
    chat.sidebar.chat("From the bus").tap()
    expect(chat.page.get_by_role("dialog", name="Sidebar")).to_be_hidden()
    expect(chat.last_answer).to_have_text("From the bus")


OBSERVE_LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask" });
"""


@pytest.mark.slow
def test_ten_thousand_chats_scroll_without_lag(chat: ChatPage, stores: StoreUrls) -> None:
    expect(chat.input).to_be_visible()
    write_chats(stores, user_id(chat.page), MANY)
    chat.page.reload()
    expect(chat.sidebar.chat("Chat 0")).to_be_visible()
    chat.page.evaluate(OBSERVE_LONG_TASKS)
    most_rows = scroll_to_the_end(chat)
    expect(chat.sidebar.chat(f"Chat {MANY - 1}")).to_be_visible()
    assert most_rows <= MOST_ROWS
    loading = list(map(float, chat.page.evaluate("longTasks.splice(0)")))
    scroll_back_and_forth(chat.page)
    scrolling = list(map(float, chat.page.evaluate("longTasks.splice(0)")))
    print(f"most rows {most_rows}; long tasks, ms: loading {loading}, scrolling {scrolling}")
    assert max(loading + scrolling, default=0) <= LONGEST_TASK_MS
    chat.sidebar.chat(f"Chat {MANY - 1}").focus()
    chat.page.keyboard.press("Home")
    expect(chat.sidebar.chat("Chat 0")).to_be_focused()
    expect(chat.sidebar.chat("Chat 0")).to_be_in_viewport()


def scroll_to_the_end(chat: ChatPage) -> int:
    """Returns how many rows were in the page at most."""
    rows: int = chat.page.evaluate(
        """async ([last]) => {
          const list = document.querySelector("nav[aria-label=Chats]");
          let most = 0;
          const isThere = () => [...list.querySelectorAll("a")].some((a) => a.title === last);
          for (let frame = 0; frame < 6000 && !isThere(); frame += 1) {
            list.scrollBy(0, 1200);
            await new Promise(requestAnimationFrame);
            most = Math.max(most, list.querySelectorAll("li").length);
          }
          return most;
        }""",
        [f"Chat {MANY - 1}"],
    )
    return rows


def scroll_back_and_forth(page: Page) -> None:
    page.evaluate(
        """async () => {
          const list = document.querySelector("nav[aria-label=Chats]");
          for (const step of [-900, 900]) {
            for (let frame = 0; frame < 120; frame += 1) {
              list.scrollBy(0, step);
              await new Promise(requestAnimationFrame);
            }
          }
          list.scrollTo(0, list.scrollHeight);
          await new Promise(requestAnimationFrame);
        }"""
    )
