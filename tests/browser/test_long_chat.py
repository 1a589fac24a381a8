"""A chat of a thousand messages: opened at its end, read upwards, written on without a hitch."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.web.fast_model import FAST_MODEL, WORDS, WORDS_A_SECOND
from benchmarks.web.long_chat import MESSAGES, write_long_chat
from benchmarks.web.watching import ANSWERED, LONG_TASKS, OPENED
from raylm_apps.gateway.auth import COOKIE
from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User
from tests.browser.pages.chat import ChatPage
from tests.browser.pages.eye import ROUNDING_PX, TOUCH_SLOP_PX, Eye

SIZE = {"width": 900, "height": 700}
PAGE_SIZE = 20
MIDDLE = (600, 300)
FAR_PX, STEP_PX = 24_000, 400
"""Farther than the messages that a chat opens with and the next ones loaded."""


@pytest.fixture(scope="module")
def owner(gateway: GatewayProcess) -> User:
    return gateway.user()


@pytest.fixture(scope="module")
def path(stores: StoreUrls, owner: User) -> str:
    return f"/chat/{write_long_chat(stores.database_url, owner.id)}"


@pytest.fixture
def chat(gateway: GatewayProcess, browser: Browser, owner: User, path: str) -> Iterator[ChatPage]:
    url = gateway.base_url
    context = browser.new_context(base_url=url, viewport=SIZE, has_touch=True)
    context.add_cookies([{"name": COOKIE, "value": owner.token, "url": url}])
    page = context.new_page()
    page.add_init_script(LONG_TASKS)
    page.goto(path)
    chat = ChatPage(page)
    expect(chat.answers.last).to_contain_text(f"Answer {MESSAGES - 1}")
    expect(chat.answers.last.get_by_role("listitem").last).to_be_in_viewport()
    page.mouse.move(*MIDDLE)
    yield chat
    context.close()


def test_it_opens_at_its_end_with_a_page_of_messages(chat: ChatPage) -> None:
    eye = Eye(chat.page)
    eye.wait_for_bottom()
    eye.wait()
    expect(chat.page.locator("article")).to_have_count(PAGE_SIZE)


def test_opening_is_quick(chat: ChatPage, path: str) -> None:
    """From the click to the last answer on screen."""
    chat.page.reload()
    chat.sidebar.new_chat.click()
    expect(chat.suggestions).to_be_visible()
    took_ms = chat.page.evaluate(OPENED, path)
    print(f"opened in {took_ms:.0f} ms")
    assert took_ms < 1_500  # 300 on a quiet machine


def test_the_wheel_moves_what_is_read_by_as_much(chat: ChatPage) -> None:
    eye = Eye(chat.page)
    for _ in range(FAR_PX // STEP_PX):
        chat.page.mouse.wheel(0, -STEP_PX)
        eye.wait(frames=2)
    eye.expect_moved(FAR_PX)
    expect(chat.page.locator("article").nth(2 * PAGE_SIZE)).to_be_attached()


def test_page_up_moves_what_is_read_by_a_page(chat: ChatPage) -> None:
    eye = Eye(chat.page)
    height = chat.page.evaluate("eye.box.clientHeight")
    chat.page.mouse.click(*MIDDLE)
    page_px, pages = int(height * 7 / 8), 10
    for page in range(pages):
        chat.page.keyboard.press("PageUp")
        most = (page + 0.9) * page_px
        chat.page.wait_for_function("(px) => eye.moved >= px", arg=most)
    eye.expect_moved(pages * page_px)


def test_a_finger_moves_what_is_read_by_its_way(chat: ChatPage) -> None:
    eye = Eye(chat.page)
    swipes = 12
    for _ in range(swipes):
        eye.swipe_down(*MIDDLE, way_px=STEP_PX)
    slop_px = swipes * TOUCH_SLOP_PX / 2
    # On a busy machine a finger that is lifted may push a little.
    eye.expect_moved(swipes * STEP_PX - slop_px, within_px=slop_px + swipes * ROUNDING_PX)


def test_at_the_very_top_more_is_put_above_what_is_read(chat: ChatPage) -> None:
    eye = Eye(chat.page)
    articles = chat.page.locator("article")
    for _ in range(3):
        count, moved, way = articles.count(), eye.moved_px, eye.from_top_px
        chat.page.evaluate("eye.box.scrollTop = 0")
        expect(articles.nth(count)).to_be_attached()
        eye.expect_moved(moved + way)


@pytest.mark.parametrize("way", ["wheel", "finger", "key"])
def test_a_growing_answer_leaves_who_reads_above_it_alone(chat: ChatPage, way: str) -> None:
    eye = Eye(chat.page)
    chat.page.evaluate(FAST_MODEL, [WORDS, WORDS_A_SECOND])
    chat.ask("Go on")
    expect(chat.last_answer).to_contain_text("word200")
    eye.wait_for_bottom()  # until now it is followed
    if way == "wheel":
        chat.page.mouse.move(*MIDDLE)
        chat.page.mouse.wheel(0, -STEP_PX)
    elif way == "finger":
        eye.swipe_down(*MIDDLE, way_px=STEP_PX)
    else:
        chat.page.mouse.click(*MIDDLE)
        chat.page.keyboard.press("PageUp")
    expect(chat.scroll_button).to_be_visible()
    eye.wait(frames=40)  # a page glides
    place = eye.moved_px
    expect(chat.last_answer).to_contain_text(f"word{WORDS - 1}", timeout=20_000)
    expect(chat.send_button).to_be_visible()
    assert abs(eye.moved_px - place) <= 2
    chat.scroll_button.click()
    eye.wait_for_bottom()
    expect(chat.scroll_button).to_be_hidden()


def test_one_can_read_up_to_the_first_message(chat: ChatPage) -> None:
    question = chat.page.get_by_text("Question 0", exact=True)
    deadline = time.monotonic() + 60
    while question.count() == 0 and time.monotonic() < deadline:
        chat.page.mouse.wheel(0, -100_000)
        chat.page.wait_for_timeout(50)
    expect(question).to_be_attached()
    expect(chat.page.locator("article")).to_have_count(MESSAGES)
    expect(chat.page.get_by_role("button", name="Load earlier messages")).to_be_hidden()


@pytest.mark.slow
def test_writing_on_has_no_hitch(chat: ChatPage) -> None:
    """200 words a second, in a chat whose messages are all there."""
    test_one_can_read_up_to_the_first_message(chat)
    chat.scroll_button.click()
    expect(chat.scroll_button).to_be_hidden()
    chat.page.evaluate(FAST_MODEL, [WORDS, WORDS_A_SECOND])
    chat.input.fill("Go on")
    chat.page.evaluate("longTasks.length = 0")
    chat.page.evaluate(ANSWERED, f"word{WORDS - 1}")
    tasks = chat.page.evaluate("longTasks.map(({ duration }) => duration)")
    print(f"long tasks: {sorted(map(round, tasks))} ms")
    assert max(tasks, default=0) < 300  # 100 on a quiet machine
