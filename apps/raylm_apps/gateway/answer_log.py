"""The parts of one answer as the wire has them, in memory: written once, followed by many."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import orjson

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
EVENT_ID = r"^[0-9]{1,18}-[0-9]{1,18}$"  # Redis counts with 64 bits


class AnswerKey(NamedTuple):
    chat_id: str
    message_id: str

    @property
    def stream(self) -> str:
        return f"stream:{self.chat_id}:{self.message_id}"

    @property
    def lease(self) -> str:
        return f"lease:{self.chat_id}:{self.message_id}"


class EventId(NamedTuple):
    """Redis entry id: the answer's own start, then the part's number; a clock may jump."""

    started_ms: int
    number: int

    def __str__(self) -> str:
        return f"{self.started_ms}-{self.number}"

    @classmethod
    def parse(cls, text: str) -> "EventId":
        """Raises ValueError."""
        if re.fullmatch(EVENT_ID, text) is None:
            raise ValueError(f"not an event id: {text[:40]!r}")
        started_ms, number = text.split("-")
        return cls(int(started_ms), int(number))


def frame(event_id: EventId, data: bytes) -> bytes:
    return b"id: %d-%d\ndata: %b\n\n" % (*event_id, data)


def data_of(frame: bytes) -> bytes:
    return frame[frame.index(b"\ndata: ") + 7 : -2]


class AnswerLog:
    """Entries are the parts, then the ending. Readers see those that have been revealed."""

    def __init__(self, key: AnswerKey, *, replaces: bool = False) -> None:
        self.key = key
        self.replaces = replaces
        """Whether an older stream of this key, that of an answer which goes on, is to go."""
        self.repeated = 0
        """So many parts after the first repeat what whoever let the answer go on has seen."""
        self.started_ms = time.time_ns() // 1_000_000
        self.frames: list[bytes] = []
        """Every part as its readers get it; what it was made of would take 4 KB to keep."""
        self.ending: str | None = None
        """The final status, once there is one."""
        self._revealed = 0
        self._waiting: set[asyncio.Future[bool]] = set()

    def __len__(self) -> int:
        return len(self.frames) + (self.ending is not None)

    def id_of(self, number: int) -> EventId:
        return EventId(self.started_ms, number)

    def append(self, part: dict[str, Any]) -> None:
        self.frames.append(frame(self.id_of(len(self.frames)), orjson.dumps(part)))

    def end(self, status: str) -> None:
        self.ending = status

    def reveal(self, entries: int | None = None) -> None:
        """Show readers the first so many entries, or all."""
        self._revealed = len(self) if entries is None else entries
        for reader in self._waiting:
            _wake(reader, True)

    async def follow(self, heartbeat_s: float, *, news_only: bool = False) -> AsyncIterator[bytes]:
        """From the beginning to the end; a slow reader gets what has gathered in one piece."""
        position = 0
        while True:
            revealed = self._revealed
            if revealed > position:
                stop = min(revealed, len(self.frames))
                yield b"".join(
                    self._news(position, stop) if news_only else self.frames[position:stop]
                )
                position = stop
                if revealed > stop:
                    yield DONE
                    return
            elif not await self._grows_within(heartbeat_s):
                yield PING

    def _news(self, start: int, stop: int) -> Iterator[bytes]:
        old = range(1, 1 + self.repeated)
        return (self.frames[i] for i in range(start, stop) if i not in old)

    async def _grows_within(self, seconds: float) -> bool:
        """A bare timer: a scope of `asyncio.timeout` for every chunk costs five times as much."""
        loop = asyncio.get_running_loop()
        reader: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, _wake, reader, False)
        self._waiting.add(reader)
        try:
            return await reader
        finally:
            timer.cancel()
            self._waiting.discard(reader)


def _wake(reader: asyncio.Future[bool], has_grown: bool) -> None:
    if not reader.done():
        reader.set_result(has_grown)
