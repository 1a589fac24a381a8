"""The owner of the long chat, in a browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from playwright.sync_api import Browser, Page

from benchmarks.web.watching import LONG_TASKS
from raylm_apps.gateway.auth import COOKIE

SIZE = {"width": 1280, "height": 800}


@contextmanager
def open_as_owner(browser: Browser, client: httpx.Client, path: str) -> Iterator[Page]:
    """A new visit of whom the client is signed in as."""
    url = str(client.base_url)
    context = browser.new_context(base_url=url, viewport=SIZE)
    context.add_cookies([{"name": COOKIE, "value": client.cookies[COOKIE], "url": url}])
    page = context.new_page()
    page.add_init_script(LONG_TASKS)
    page.goto(path)
    yield page
    context.close()


def read_all(page: Page, messages: int) -> None:
    """Scrolls up until all messages are in the page."""
    page.get_by_role("article").first.wait_for()
    page.wait_for_function(
        """(messages) => {
          document.querySelector("[role=log]").parentElement.scrollTop = 0;
          return document.querySelectorAll("article").length >= messages;
        }""",
        arg=messages,
        timeout=300_000,
    )
