"""A chat of a thousand messages, of all lengths, written straight into the database."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import asyncpg

MESSAGES = 1_000
TITLE = "Long"
LENGTHS = (1, 6, 2, 9, 3)
"""Of an answer, in list items; every tenth message has as many lines of code below them."""


def write_long_chat(database_url: str, owner: str) -> str:
    """Returns the chat's id; the owner need not be stored yet."""
    chat_id = str(uuid4())
    with ThreadPoolExecutor(1) as thread:  # Playwright's own loop runs in this one
        thread.submit(asyncio.run, _write(database_url, owner, chat_id)).result()
    return chat_id


async def _write(database_url: str, owner: str, chat_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("insert into users (id) values ($1) on conflict do nothing", owner)
        await connection.execute(
            "insert into chats (id, user_id, title) values ($1, $2, $3)", chat_id, owner, TITLE
        )
        await connection.executemany(
            "insert into messages (chat_id, id, parent_id, role, parts)"
            " values ($1, $2, $3, $4, $5)",
            [_row(chat_id, number) for number in range(MESSAGES)],
        )
    finally:
        await connection.close()


def _row(chat_id: str, number: int) -> tuple[Any, ...]:
    is_question = number % 2 == 0
    text = f"Question {number}" if is_question else _answer(number)
    parent = f"message-{number - 1}" if number else None
    parts = json.dumps([{"type": "text", "text": text}])
    return chat_id, f"message-{number}", parent, "user" if is_question else "assistant", parts


def _answer(number: int) -> str:
    length = LENGTHS[number // 2 % len(LENGTHS)]
    items = "\n\n".join(f"- Item **{item}** of `this` answer" for item in range(length))
    code = "\n".join(f"x{line} = {line}" for line in range(length))
    return f"Answer {number}\n\n{items}" + (
        f"\n\n```python\n{code}\n```" if number % 10 == 5 else ""
    )
