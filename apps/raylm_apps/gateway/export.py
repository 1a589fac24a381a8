"""All of a user's data as one JSON document, written while it is read.

A page of rows at a time, so that neither memory nor a connection is held by a slow reader.
"""

from collections.abc import AsyncIterator

import orjson

from raylm_apps.gateway.store import export
from raylm_apps.gateway.store.pool import Database


async def export_of(database: Database, user_id: str) -> AsyncIterator[bytes]:
    async with database.connection() as connection:
        sections = [
            (name, await export.section(connection, name, user_id)) for name in export.SECTIONS
        ]
    yield b"{" + b",".join(
        b"%b:%b" % (orjson.dumps(name), orjson.dumps(rows)) for name, rows in sections
    )
    for name in export.PAGES:
        yield b",%b:[" % orjson.dumps(name)
        separator = b""
        async for row in _rows(database, name, user_id):
            yield separator + row
            separator = b","
        yield b"]"
    yield b"}"


async def _rows(database: Database, name: str, user_id: str) -> AsyncIterator[bytes]:
    last_id = ""
    while True:
        async with database.connection() as connection:
            rows = await export.page(connection, name, user_id, last_id)
        if not rows:
            return
        for row in rows:
            yield orjson.dumps(row)
        last_id = rows[-1]["id"]
