"""A page of the history of a user with many chats, over HTTP, from every depth.

    python -m benchmarks.gateway.history [--chats 10000]

The gateway runs under uvicorn over its embedded stores; others have as many chats beside.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from benchmarks.gateway.crowd import fill
from benchmarks.gateway.serving import gateway_for, p50_p95, times_ms
from raylm_apps.gateway.embedded import EmbeddedStores
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database

OWNER, OTHERS = "reader-0000", 9
PAGES, BAR_MS = 300, 15.0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chats", type=int, default=10_000, help="of the user (10000)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, EmbeddedStores(folder) as urls:
        asyncio.run(prepare(urls.database_url, options.chats))
        with gateway_for(OWNER, urls, Path(folder)) as client:
            pages, cursor = [], ""
            for _ in range(PAGES):
                pages.append(f"/api/history?limit=20{cursor}")
                chats = client.get(pages[-1]).json()["chats"]
                cursor = f"&ending_before={chats[-1]['id']}" if len(chats) == 20 else ""
            p50, p95 = p50_p95(times_ms(client, pages))
    verdict = "met" if p95 <= BAR_MS else "missed"
    print(f"history of {options.chats} chats, {PAGES} pages of 20 from the newest on")
    print(f"p50 {p50:.1f} ms, p95 {p95:.1f} ms   (bar {BAR_MS:.0f}: {verdict})")


async def prepare(url: str, chats: int) -> None:
    database = Database(url)
    await database.open()
    await migrate(database)
    await database.close()
    connection = await asyncpg.connect(url)
    others = {f"other-{number:04}": chats // OTHERS for number in range(OTHERS)}
    await fill(connection, {OWNER: chats, **others}, messages_a_chat=1)
    await connection.close()


if __name__ == "__main__":
    main()
