"""All of a user's data as one JSON document, written while it is read.

A page of chats at a time, so that neither memory nor a connection is held by a slow reader.
"""

from collections.abc import AsyncIterator

import orjson

from raylm_apps.gateway.store import export
from raylm_apps.gateway.store.pool import Database

CHATS_AT_ONCE = 20


async def export_of(database: Database, user_id: str) -> AsyncIterator[bytes]:
    async with database.connection() as connection:
        sections = [
            (name, await export.section(connection, name, user_id)) for name in export.SECTIONS
        ]
    yield b"{"
    for name, rows in sections:
        yield b"%b:%b," % (orjson.dumps(name), orjson.dumps(rows))
    yield b'"chats":['
    separator, last = b"", ""
    while True:
        async with database.connection() as connection:
            chats = await export.chats_after(connection, user_id, last, CHATS_AT_ONCE)
        if not chats:
            break
        for chat in chats:
            yield separator + orjson.dumps(chat)
            separator = b","
        last = chats[-1]["id"]
    yield b"]}"
