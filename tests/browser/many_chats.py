"""Chats in numbers, written straight into the database or asked for one by one."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
from playwright.sync_api import Page

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import new_id


def ask(page: Page, question: str) -> str:
    """Returns the chat's id; its title is the question."""
    chat_id = new_id()
    message = {"id": new_id(), "role": "user", "parts": [{"type": "text", "text": question}]}
    body = {"id": chat_id, "message": message, "selectedChatModel": "mock/echo"}
    assert page.request.post("/api/chat", data=body).ok
    return chat_id


def user_id(page: Page) -> str:
    session: dict[str, Any] = page.request.get("/api/auth/session").json()
    return str(session["user"]["id"])


def write_chats(stores: StoreUrls, owner: str, count: int) -> None:
    """`Chat 0` is the newest; each is an hour older than the one before."""

    async def write() -> None:
        connection = await asyncpg.connect(stores.database_url)
        try:
            await connection.execute(
                "insert into users (id) values ($1) on conflict do nothing", owner
            )
            await connection.execute(
                """insert into chats (id, user_id, title, created_at)
                   select gen_random_uuid()::text, $1, 'Chat ' || n, now() - n * interval '1 hour'
                   from generate_series(0, $2::int - 1) as n""",
                owner,
                count,
            )
        finally:
            await connection.close()

    # Playwright's own loop runs in this thread.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(write())).result()
