"""A chat of a thousand messages: opened at its end, read upwards, written on without a hitch."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
from playwright.sync_api import Browser, expect

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, new_id
from tests.browser.pages.chat import ChatPage

MESSAGES = 1_000
PARAGRAPHS = "\n\n".join(f"- Item **{n}** of `this` answer" for n in range(6))
SIZE = {"width": 900, "height": 700}
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({ type: "longtask", buffered: true });
"""

WORDS = 800
FAST_MODEL = """
(words) => {
  const plain = window.fetch;
  const encode = (part) => new TextEncoder().encode(`data: ${JSON.stringify(part)}\\n\\n`);
  const end = (n) => (n % 40 ? " " : "\\n\\n");
  const word = (n) => ({ type: "text-delta", id: "0", delta: `word${n}${end(n)}` });
  window.fetch = async (input, init) => {
    if (init?.method !== "POST" || !String(input).endsWith("/api/chat")) return plain(input, init);
    const parts = [{ type: "start", messageId: "fast" }, { type: "text-start", id: "0" }];
    for (let n = 0; n < words; n += 1) parts.push(word(n));
    parts.push({ type: "text-end", id: "0" }, { type: "finish" });
    const start = performance.now();
    const stream = new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        let due = (performance.now() - start) / 5 - (words + 4 - parts.length);
        for (; due > 0 && parts.length > 0; due -= 1) controller.enqueue(encode(parts.shift()));
        if (parts.length === 0) controller.close();
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  };
}
"""


async def _store(database_url: str, user_id: str, chat_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "insert into chats (id, user_id, title) values ($1, $2, 'Long')", chat_id, user_id
        )
        rows = [_row(chat_id, number) for number in range(MESSAGES)]
        await connection.executemany(
            "insert into messages (chat_id, id, parent_id, role, parts)"
            " values ($1, $2, $3, $4, $5)",
            rows,
        )
    finally:
        await connection.close()


def _row(chat_id: str, number: int) -> tuple[Any, ...]:
    is_question = number % 2 == 0
    text = f"Question {number}" if is_question else f"Answer {number}\n\n{PARAGRAPHS}"
    parent = f"message-{number - 1}" if number else None
    parts = json.dumps([{"type": "text", "text": text}])
    return chat_id, f"message-{number}", parent, "user" if is_question else "assistant", parts


@pytest.fixture
def chat(stores: StoreUrls, gateway: GatewayProcess, browser: Browser) -> Iterator[ChatPage]:
    context = browser.new_context(base_url=gateway.base_url, viewport=SIZE)
    page = context.new_page()
    page.add_init_script(LONG_TASKS)
    page.goto("/")
    chat = ChatPage(page)
    chat.ask("Hello", "mock/echo")  # a guest is stored with the first question
    chat.wait_for_answer("Hello")
    user_id = page.request.get("/api/auth/session").json()["user"]["id"]
    chat_id = new_id()
    with ThreadPoolExecutor() as threads:  # Playwright's loop runs in this one
        threads.submit(asyncio.run, _store(stores.database_url, user_id, chat_id)).result()
    page.goto(f"/chat/{chat_id}")
    expect(chat.answers.last).to_contain_text(f"Answer {MESSAGES - 1}")
    yield chat
    context.close()


def test_it_opens_at_its_end_with_a_page_of_messages(chat: ChatPage) -> None:
    expect(chat.answers.last.get_by_role("listitem").last).to_be_in_viewport()
    count = chat.page.locator("article").count()
    assert 20 < count <= 120


def test_opening_is_quick(chat: ChatPage) -> None:
    """From the click to the last answer on screen."""
    address = chat.page.url
    chat.page.reload()
    chat.sidebar.new_chat.click()
    expect(chat.suggestions).to_be_visible()
    took_ms = chat.page.evaluate(
        """(path) => new Promise((resolve) => {
          const start = performance.now();
          const observer = new MutationObserver(() => {
            if (!document.querySelector("article:last-of-type .prose li")) return;
            observer.disconnect();
            requestAnimationFrame(() => resolve(performance.now() - start));
          });
          observer.observe(document.body, { childList: true, subtree: true });
          document.querySelector(`a[href="${path}"]`).click();
        })""",
        address[address.index("/chat/") :],
    )
    print(f"opened in {took_ms:.0f} ms")
    assert took_ms < 1_500  # 300 on a quiet machine


def test_one_can_read_up_to_the_first_message(chat: ChatPage) -> None:
    question = chat.page.get_by_text("Question 0", exact=True)
    chat.page.mouse.move(600, 300)
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
    chat.page.evaluate(FAST_MODEL, WORDS)
    chat.page.evaluate("longTasks.length = 0")
    chat.ask("Go on")
    expect(chat.last_answer).to_contain_text(f"word{WORDS - 1}", timeout=30_000)
    tasks = chat.page.evaluate("longTasks")
    print(f"long tasks: {sorted(map(round, tasks))} ms")
    assert max(tasks, default=0) < 300  # 100 on a quiet machine
