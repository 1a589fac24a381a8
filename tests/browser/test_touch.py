"""The list of chats under a finger: held it drags, moved it scrolls."""

import pytest
from playwright.sync_api import Locator, Page, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.browser.conftest import OpenPage
from tests.browser.many_chats import user_id, write_chats
from tests.browser.pages.chat import ChatPage

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class Finger:
    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def press(self, element: Locator) -> None:
        self._send("touchStart", *middle(element))

    def move(self, start: Locator, end: Locator, steps: int = 8) -> None:
        (x, y), (end_x, end_y) = middle(start), middle(end)
        for step in range(1, steps + 1):
            part = step / steps
            self._send("touchMove", x + (end_x - x) * part, y + (end_y - y) * part)

    def lift(self) -> None:
        self._send("touchEnd")

    def _send(self, kind: str, *point: float) -> None:
        points = [{"x": point[0], "y": point[1]}] if point else []
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture
def phone(open_page: OpenPage, stores: StoreUrls) -> ChatPage:
    """The open sheet with `Chat 0`, `Chat 1`, ... and the folder `Work`."""
    chat = open_page(**PHONE)
    expect(chat.input).to_be_visible()
    write_chats(stores, user_id(chat.page), 60)
    assert chat.page.request.post("/api/folders", data={"name": "Work"}).ok
    chat.page.reload()
    chat.sidebar.toggle.tap()
    expect(chat.sidebar.folder("Work")).to_be_visible()
    expect(chat.sidebar.chat("Chat 0")).to_be_visible()
    return chat


def test_a_finger_that_holds_a_chat_drags_it_into_a_folder(phone: ChatPage) -> None:
    sidebar, finger = phone.sidebar, Finger(phone.page)
    targets = phone.page.get_by_role("group", name="Move to")
    address = phone.page.url
    finger.press(sidebar.chat("Chat 2"))
    expect(targets).to_be_visible()
    finger.lift()
    expect(targets).to_have_count(0)
    expect(sidebar.chat("Chat 2")).to_be_visible()
    finger.press(sidebar.chat("Chat 2"))
    expect(targets).to_be_visible()
    finger.move(sidebar.chat("Chat 2"), targets.get_by_text("Work"))
    finger.lift()
    expect(sidebar.chat("Chat 2")).to_have_count(0)
    sidebar.folder("Work").tap()
    expect(sidebar.chat("Chat 2")).to_be_visible()
    assert phone.page.url == address


def test_a_finger_that_moves_at_once_scrolls(phone: ChatPage) -> None:
    sidebar, finger = phone.sidebar, Finger(phone.page)
    phone.page.clock.install(time=0)
    phone.page.clock.pause_at(1000)  # else a busy machine may take it for one that holds
    finger.press(sidebar.chat("Chat 8"))
    finger.move(sidebar.chat("Chat 8"), sidebar.chat("Chat 0"))
    expect(sidebar.chat("Chat 0")).not_to_be_in_viewport()
    phone.page.clock.run_for(1000)  # it does not become one later
    expect(phone.page.get_by_role("group", name="Move to")).to_have_count(0)
    finger.lift()


def middle(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
