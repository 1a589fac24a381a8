"""A stranger's first visit and the next, on a slow CPU: first paint, and when one can write."""

import httpx
from playwright.sync_api import Browser, Page

from benchmarks.web.figures import Figure
from benchmarks.web.watching import INTERACTIVE, LONG_TASKS

SLOWDOWN = 4
FIRST_PAINT_BAR_MS, INTERACTIVE_BAR_MS = 1_000, 1_500
VISIT_MS = 6_000
"""Not asked anything until then, which would cost the page some of its time."""


def visits(browser: Browser, client: httpx.Client, rounds: int) -> list[Figure]:
    paints: dict[str, list[float]] = {"cold": [], "warm": []}
    readies: dict[str, list[float]] = {"cold": [], "warm": []}
    for _ in range(rounds):
        context = browser.new_context(base_url=str(client.base_url))
        page = context.new_page()
        page.add_init_script(LONG_TASKS)
        page.goto("/health/live")  # the process that shows the page is there
        session = context.new_cdp_session(page)
        session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})
        page.add_init_script(INTERACTIVE)
        for cache in ("cold", "warm"):
            page.goto("/", wait_until="commit")
            paint, ready = _visit(page)
            paints[cache].append(paint)
            readies[cache].append(ready)
        context.close()
    slow = f"{SLOWDOWN}x slower"
    return [
        Figure(f"{what}, {cache} cache, {slow}", values[cache], bar, "ms")
        for what, values, bar in (
            ("first paint", paints, FIRST_PAINT_BAR_MS),
            ("interactive", readies, INTERACTIVE_BAR_MS),
        )
        for cache in ("cold", "warm")
    ]


def _visit(page: Page) -> tuple[float, float]:
    page.wait_for_timeout(VISIT_MS)
    shown: float = page.wait_for_function("() => window.interactiveMs").json_value()
    paint: float = page.evaluate(
        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    )
    ends: list[float] = page.evaluate(
        "longTasks.map(({ startTime, duration }) => startTime + duration)"
    )
    return paint, max([shown, *ends])
