"""An answer is written quickly below a thousand messages that are all in the page."""

import httpx
from playwright.sync_api import Browser, Page

from benchmarks.web.fast_model import FAST_MODEL, WORDS, WORDS_A_SECOND
from benchmarks.web.figures import Figure
from benchmarks.web.long_chat import MESSAGES
from benchmarks.web.reader import open_as_owner, read_all
from benchmarks.web.watching import ANSWERED

LONGEST_BAR_MS, SHARE_BAR_PERCENT = 100, 5


def writing(browser: Browser, client: httpx.Client, chat_id: str, rounds: int) -> list[Figure]:
    longest, shares = [], []
    with open_as_owner(browser, client, f"/chat/{chat_id}") as page:
        read_all(page, MESSAGES)
        page.get_by_test_id("scroll-to-bottom-button").click()
        page.evaluate(FAST_MODEL, [WORDS, WORDS_A_SECOND])
        for _ in range(rounds):
            tasks, took_ms = _write(page)
            longest.append(max(tasks, default=0))
            shares.append(100 * sum(tasks) / took_ms)
    what = f"{WORDS_A_SECOND} words/s below {MESSAGES}"
    return [
        Figure(f"{what}: longest task", longest, LONGEST_BAR_MS, "ms"),
        Figure(f"{what}: time in long tasks", shares, SHARE_BAR_PERCENT, "%"),
    ]


def _write(page: Page) -> tuple[list[float], float]:
    page.evaluate("longTasks.length = 0")
    page.get_by_test_id("multimodal-input").fill("Go on")
    took_ms: float = page.evaluate(ANSWERED, f"word{WORDS - 1}")
    return page.evaluate("longTasks.map(({ duration }) => duration)"), took_ms
