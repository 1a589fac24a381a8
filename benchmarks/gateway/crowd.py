"""A database as many users leave it, written in bulk, for the benchmarks of its lists.

Words are drawn by Zipf's law, messages come in a random order of users; every eighth is written in
Chinese characters, drawn likewise. Rows go into the real schema with its triggers off, and what
the triggers would have made is made at once.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import numpy as np

WORDS_A_MESSAGE, VOCABULARY = 40, 50_000
CHINESE_EVERY, CHARACTERS, CHARACTERS_A_WORD = 8, 3_000, 2
ROWS_AT_ONCE = 20_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def word(rank: int) -> str:
    """Of no language, so that no two share a stem."""
    letters = "bcdfghjklmnpqrtvwz"
    text = ""
    while True:
        rank, place = divmod(rank, len(letters))
        text += letters[place] + "aeiou"[place % 5]
        if not rank:
            return f"{text}x"


def character(rank: int) -> str:
    return chr(0x4E00 + rank)


async def fill(database: asyncpg.Connection, chats: dict[str, int], messages_a_chat: int) -> None:
    """`chats`: how many each user has."""
    writer = Writer()
    owners = [user_id for user_id, count in chats.items() for _ in range(count)]
    writer.dice.shuffle(owners)
    await database.execute("set session_replication_role = replica")
    await database.execute("drop index message_words_of_user, chats_by_title")
    await database.copy_records_to_table(
        "users", columns=["id"], records=[(user_id,) for user_id in chats]
    )
    size = ROWS_AT_ONCE // messages_a_chat
    for first in range(0, len(owners), size):
        batch = list(enumerate(owners[first : first + size], first))
        titles = writer.texts(len(batch), words=5)
        await database.copy_records_to_table(
            "chats",
            columns=["id", "user_id", "title", "created_at"],
            records=[
                (_chat(n), owner, title, _when(n))
                for (n, owner), title in zip(batch, titles, strict=True)
            ],
        )
        await database.copy_records_to_table(
            "messages",
            columns=["chat_id", "id", "parent_id", "role", "parts", "created_at"],
            records=list(_messages(writer, [n for n, _ in batch], messages_a_chat)),
        )
    await database.execute(
        """insert into message_words
           select chat_id, seq, user_id, to_tsvector('words', wording(message_text(parts)))
           from messages join chats on chats.id = chat_id order by seq"""
    )
    await database.execute("set maintenance_work_mem = '512MB'")
    await database.execute(
        """create index message_words_of_user on message_words using gin (user_id, words)
             with (gin_pending_list_limit = 256)"""
    )
    await database.execute(
        """create index chats_by_title on chats using gin (user_id, folded(title) gin_trgm_ops)
             with (gin_pending_list_limit = 256)"""
    )
    await database.execute("vacuum analyze")


class Writer:
    def __init__(self) -> None:
        self.dice = np.random.default_rng(0)
        self._words = _Zipf([word(rank) for rank in range(VOCABULARY)])
        self._characters = _Zipf([character(rank) for rank in range(CHARACTERS)])

    def texts(self, count: int, words: int) -> list[str]:
        texts = [" ".join(row) for row in self._words.draw(self.dice, count, words)]
        chinese = len(texts[::CHINESE_EVERY])
        rows = self._characters.draw(self.dice, chinese, words * CHARACTERS_A_WORD)
        texts[::CHINESE_EVERY] = ["".join(row) for row in rows]
        return texts


class _Zipf:
    def __init__(self, values: list[str]) -> None:
        self._values = np.array(values, dtype=object)
        self._weights = np.cumsum(1 / np.arange(1, len(values) + 1))

    def draw(self, dice: np.random.Generator, rows: int, columns: int) -> np.ndarray:
        drawn = dice.random((rows, columns)) * self._weights[-1]
        return self._values[np.searchsorted(self._weights, drawn)]


def _messages(writer: Writer, chats: list[int], count: int) -> Iterator[tuple[object, ...]]:
    """Turn by turn, as chats that are written at the same time are stored."""
    for turn in range(count):
        parent_id = f"m{turn - 1}" if turn else None
        role = "assistant" if turn % 2 else "user"
        for chat, text in zip(chats, writer.texts(len(chats), WORDS_A_MESSAGE), strict=True):
            parts = json.dumps([{"type": "text", "text": text}])
            yield (_chat(chat), f"m{turn}", parent_id, role, parts, _when(chat))


def _chat(number: int) -> str:
    return f"chat-{number:08}-0000-4000-8000-000000000000"


def _when(number: int) -> datetime:
    return BEGINNING + timedelta(seconds=number)
