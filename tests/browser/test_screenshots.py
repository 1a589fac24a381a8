"""The pictures of the README. RAYLM_SCREENSHOTS names where they are kept; else they are made and
thrown away:

    RAYLM_SCREENSHOTS=apps/web/screenshots python -m pytest tests/browser/test_screenshots.py
"""

import asyncio
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import Page, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import User, new_id
from tests.apps.gateway.runs.run_folder import WrittenRun
from tests.browser.conftest import OpenPage
from tests.browser.many_chats import ask, user_id
from tests.browser.operated import OpenAs
from tests.browser.pages.artifact import Artifact
from tests.browser.pages.chat import ChatPage
from tests.browser.pages.runs import RunsPage

ROOT = Path(__file__).parents[2]
DESK = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "device_scale_factor": 2,
    "reduced_motion": "reduce",
}
OTHERS = (
    "A letter to the landlord",
    "Translate this menu",
    "Why is the sky blue?",
    "Plan three days in Lisbon",
)
TITLE = "Binary search, and why it is quick"
CONVERSATION = (
    "How does binary search work, and why is it quick?",
    """It looks at the middle of a **sorted** list and drops the half that cannot hold it:

```python
def find(items: list[int], wanted: int) -> int | None:
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(items) and items[low] == wanted else None
```

Each step halves what is left: $n$ items take at most $\\lceil \\log_2 (n + 1) \\rceil$ steps.

| Items | Steps at most |
|---:|---:|
| 1,000 | 10 |
| 1,000,000 | 20 |
| 1,000,000,000 | 30 |
""",
)

Keep = Callable[[Page, str], None]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """Takes the picture of that name."""
    folder = Path(os.environ.get("RAYLM_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def keep(page: Page, name: str) -> None:
        page.wait_for_load_state("networkidle")
        picture = page.screenshot(path=folder / f"{name}.png", animations="disabled")
        assert len(picture) > 20_000, "there is next to nothing on it"

    return keep


async def _store(database_url: str, owner: str, chat_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "insert into chats (id, user_id, title) values ($1, $2, $3)", chat_id, owner, TITLE
        )
        parent = None
        for role, text in zip(("user", "assistant"), CONVERSATION, strict=True):
            message = new_id()
            await connection.execute(
                "insert into messages (chat_id, id, parent_id, role, parts)"
                " values ($1, $2, $3, $4, $5)",
                chat_id,
                message,
                parent,
                role,
                json.dumps([{"type": "text", "text": text}]),
            )
            parent = message
    finally:
        await connection.close()


def conversation(chat: ChatPage, stores: StoreUrls) -> ChatPage:
    """Open, with others in the sidebar."""
    expect(chat.suggestions).to_be_visible()  # the visitor has a session
    for question in OTHERS:
        ask(chat.page, question)
    chat_id = new_id()
    with ThreadPoolExecutor(1) as thread:  # Playwright's own loop runs in this one
        thread.submit(
            asyncio.run, _store(stores.database_url, user_id(chat.page), chat_id)
        ).result()
    chat.page.goto(f"/chat/{chat_id}")
    expect(chat.last_answer.get_by_role("table")).to_be_visible()
    expect(chat.last_answer.locator(".katex").first).to_be_visible()
    expect(chat.last_answer.get_by_text("def")).to_have_css("color", re.compile("rgb|oklch|lab"))
    return chat


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chat_at_a_desk(open_page: OpenPage, stores: StoreUrls, keep: Keep, scheme: str) -> None:
    chat = conversation(open_page(color_scheme=scheme, **DESK), stores)
    for question in OTHERS:
        expect(chat.page.get_by_role("link", name=question)).to_be_visible()
    keep(chat.page, scheme)


def test_a_chat_on_a_phone(open_page: OpenPage, stores: StoreUrls, keep: Keep) -> None:
    chat = conversation(open_page(color_scheme="light", **PHONE), stores)
    keep(chat.page, "phone")


def test_a_document_beside_the_chat(open_page: OpenPage, keep: Keep) -> None:
    artifact = Artifact(open_page(color_scheme="light", **DESK))
    artifact.ask_for("Write a program about squares")
    expect(artifact.code).to_contain_text("def squares(count):")
    keep(artifact.chat.page, "artifact")


def test_a_run(open_as: OpenAs, operator: User, runs: Path, keep: Keep) -> None:
    run = WrittenRun(runs, "shakespeare").start().steps(1, 24)
    run.directory.event("worker_lost", rank=1, pid=4711, reason="killed")
    run.steps(25, 40).finish()
    page = RunsPage(open_as("/runs/shakespeare", operator, color_scheme="dark", **DESK))
    for panel in ("loss", "throughput", "workers"):
        expect(page.chart(panel)).to_be_visible()
        assert page.colours(panel) > 8
    keep(page.page, "run")


def test_the_readme_shows_every_picture() -> None:
    shown = set(re.findall(r"apps/web/screenshots/(\w+)\.png", (ROOT / "README.md").read_text()))
    kept = {path.stem for path in (ROOT / "apps/web/screenshots").glob("*.png")}
    assert shown == kept == {"light", "dark", "phone", "artifact", "run"}
