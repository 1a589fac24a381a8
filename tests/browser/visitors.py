"""New visitors in a browser that is not new: to it a cold start is a second and more a page."""

import json
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from playwright.sync_api import Error as PlaywrightError

from raylm_apps.gateway.auth import COOKIE

TIMEOUT_MS = 15_000  # of a busy machine
expect.set_options(timeout=TIMEOUT_MS)
MOST_FREE = 8  # each has a renderer


class Window:
    """A context with what it has loaded. The page that stays keeps its renderer running."""

    def __init__(self, browser: Browser, base_url: str, options: dict[str, Any]) -> None:
        self.context = browser.new_context(base_url=base_url, **options)
        self._permissions = options.get("permissions", [])
        self._stays = self.context.new_page()
        self._stays.goto("/favicon.svg")

    def wipe(self) -> BrowserContext:
        """Nothing is left of who was here before."""
        self.context.clear_cookies()
        self._stays.evaluate("localStorage.clear()")
        self.context.clear_permissions()
        if self._permissions:
            self.context.grant_permissions(self._permissions)
        return self.context

    def has_own_clock(self) -> bool:
        """Playwright's, which stays with a context."""
        return not self._stays.evaluate("setTimeout.toString().includes('[native code]')")

    def pages(self) -> list[Page]:
        return [page for page in self.context.pages if page is not self._stays]

    def leave(self) -> None:
        self.context.set_offline(False)
        for page in self.pages():
            page.close()


class Windows:
    """Those that are open and nobody's, the last used last; a kind is a gateway with options."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._free: list[tuple[str, Window]] = []

    def take(self, kind: str, base_url: str, options: dict[str, Any]) -> Window:
        for place, (its_kind, window) in enumerate(self._free):
            if its_kind == kind:
                del self._free[place]
                return window
        return Window(self.browser, base_url, options)

    def give_back(self, kind: str, window: Window) -> None:
        window.leave()
        if window.has_own_clock():
            window.context.close()
            return
        self._free.append((kind, window))
        if len(self._free) > MOST_FREE:
            _, oldest = self._free.pop(0)
            oldest.context.close()


class Visitors:
    """Of one test. What their consoles say is kept as a complaint."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._taken: list[tuple[str, Window]] = []
        self.complaints: list[str] = []

    def open(
        self,
        base_url: str,
        path: str = "/",
        *,
        session: str | None = None,
        is_heard: bool = True,
        **options: Any,
    ) -> Page:
        """The page for a new visitor, or for whose `session` it is; options are a context's."""
        kind = json.dumps([base_url, options], sort_keys=True)
        window = self._windows.take(kind, base_url, options)
        self._taken.append((kind, window))
        context = window.wipe()
        if session is not None:
            context.add_cookies([{"name": COOKIE, "value": session, "url": base_url}])
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        if is_heard:
            page.on("pageerror", lambda error: self.complaints.append(str(error)))
            page.on("console", self._hear)
        page.goto(path)
        return page

    def leave(self) -> None:
        for kind, window in self._taken:
            self._windows.give_back(kind, window)

    def describe(self) -> str:
        """Where the open pages are and what they show, for the report of a failure."""
        pages = [page for _, window in self._taken for page in window.pages()]
        return "\n\n".join(f"{page.url}\n{_text(page)}" for page in pages)

    def _hear(self, message: ConsoleMessage) -> None:
        """The console stays silent, but for requests that a test makes fail on purpose."""
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def _text(page: Page) -> str:
    try:
        return page.inner_text("body", timeout=2_000)
    except PlaywrightError as error:
        return f"(does not answer: {error.message.splitlines()[0]})"
