"""Searching the messages of one user among those of many, over HTTP.

    python -m benchmarks.gateway.search [--messages 1000000] [--users 1000] [--own 10000]

Rare, middle and frequent words as they are typed, so that each may be a beginning, and with a space
after them; beginnings of words, two words, a phrase, Chinese. A page of 20 chats with snippets. The
gateway runs under uvicorn over its embedded stores.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import asyncpg

from benchmarks.gateway.crowd import character, fill, word
from benchmarks.gateway.serving import gateway_for, p50_p95, times_ms
from raylm_apps.gateway.embedded import EmbeddedStores
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database

SEARCHER = "searcher-0000"
MESSAGES_A_CHAT = 4
BAR_MS = 60.0
RARE, MIDDLE, FREQUENT = (
    [word(rank) for rank in range(first, first + 50)] for first in (20_000, 300, 0)
)
KINDS = {
    "rare": RARE,
    "middle": MIDDLE,
    "frequent": FREQUENT,
    "rare, whole": [f"{text} " for text in RARE],
    "middle, whole": [f"{text} " for text in MIDDLE],
    "frequent, whole": [f"{text} " for text in FREQUENT],
    "one letter": [chr(ord("a") + place % 26) for place in range(50)],
    "two letters": [text[:2] for text in RARE],
    "all but one": [text[:-1] for text in RARE],
    "a word, a beginning": [f"{one} {other[:2]}" for one, other in zip(MIDDLE, RARE, strict=True)],
    "two frequent": [f"{word(rank)} {word(rank + 1)}" for rank in range(50)],
    "a phrase": [f'"{word(rank)} {word(rank + 1)}"' for rank in range(50)],
    "in no message": [f"{word(rank)}nowhere" for rank in range(50)],
    "Chinese, frequent": [character(rank) + character(rank + 1) for rank in range(50)],
    "Chinese, middle": [character(rank) + character(rank // 9) for rank in range(300, 350)],
    "Chinese, rare": [character(rank) for rank in range(2_900, 2_950)],
    "Chinese, nowhere": [character(rank) * 4 for rank in range(300, 350)],
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--own", type=int, default=10_000, help="messages of the searcher")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, EmbeddedStores(folder) as urls:
        started = time.monotonic()
        asyncio.run(prepare(urls.database_url, options.messages, options.users, options.own))
        print(f"{options.messages} messages in {time.monotonic() - started:.0f} s", flush=True)
        with gateway_for(SEARCHER, urls, Path(folder)) as client:
            for kind, words in KINDS.items():
                urls_asked = [f"/api/history?q={quote(text)}" for text in words]
                found = len(client.get(urls_asked[-1]).json()["chats"])
                p50, p95 = p50_p95(times_ms(client, urls_asked))
                verdict = "met" if p95 <= BAR_MS else "missed"
                print(
                    f"{kind:20} p50 {p50:6.1f} ms, p95 {p95:6.1f} ms   "
                    f"(bar {BAR_MS:.0f}: {verdict}); the last found {found} chats",
                    flush=True,
                )


async def prepare(url: str, messages: int, users: int, own: int) -> None:
    database = Database(url)
    await database.open()
    await migrate(database)
    await database.close()
    connection = await asyncpg.connect(url)
    chats_of_others = (messages - own) // (users - 1) // MESSAGES_A_CHAT
    others = {f"other-{number:06}": chats_of_others for number in range(users - 1)}
    await fill(connection, {SEARCHER: own // MESSAGES_A_CHAT, **others}, MESSAGES_A_CHAT)
    await connection.close()


if __name__ == "__main__":
    main()
