"""A long chat is opened from the sidebar."""

import httpx
from playwright.sync_api import Browser

from benchmarks.web.figures import Figure
from benchmarks.web.long_chat import MESSAGES
from benchmarks.web.reader import open_as_owner
from benchmarks.web.watching import OPENED

BAR_MS = 300


def opening(browser: Browser, client: httpx.Client, chat_id: str, rounds: int) -> Figure:
    taken: list[float] = []
    for _ in range(rounds):
        with open_as_owner(browser, client, "/") as page:
            path = f"/chat/{chat_id}"
            page.locator(f'a[href="{path}"]').wait_for()
            page.wait_for_load_state("networkidle")
            taken.append(page.evaluate(OPENED, path))
    return Figure(f"a chat of {MESSAGES} opened", taken, BAR_MS, "ms")
