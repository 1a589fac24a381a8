"""Redis Streams, where every answer in flight can be read from any position by any process.

An entry holds one part under `part`; the last entry holds the final status under `end`. The
producer keeps a lease beside its stream: no lease, no producer.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from raylm_apps.gateway.answer_log import AnswerKey, EventId
from raylm_apps.gateway.redis_client import PATIENCE_S, UNAVAILABLE, connect

BLOCK_MS = 500
BATCH = 500
BEGINNING = EventId(0, 0)
STOPS = "raylm:stops"


@dataclass(frozen=True)
class Batch:
    """What has come since the last one; nothing, when Redis was silent for a while."""

    events: list[tuple[EventId, bytes]]
    ending: str | None = None


class AnswerStreams:
    """The readers' side. Every method raises one of UNAVAILABLE while Redis is away.

    (The clients are Any: redis-py types a reply as the union of all protocols' replies.)
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = connect(url, timeout_s=PATIENCE_S)
        self._blocking: Any = connect(url, timeout_s=BLOCK_MS / 1000 + 2)

    async def is_up(self) -> bool:
        try:
            return bool(await self._redis.ping())
        except UNAVAILABLE:
            return False

    async def has_lease(self, key: AnswerKey) -> bool:
        return bool(await self._redis.exists(key.lease))

    async def read_all(self, key: AnswerKey) -> Batch:
        return _batch(await self._redis.xrange(key.stream))

    async def peek(self, key: AnswerKey, after: EventId) -> Batch:
        """The next entry, if it has come."""
        return _batch(await self._redis.xrange(key.stream, min=f"({after}", count=1))

    async def skip(self, key: AnswerKey, count: int) -> EventId:
        """The position after the first `count` parts."""
        first = await self._redis.xrange(key.stream, count=1)
        if not first or count == 0:
            return BEGINNING
        return EventId(EventId.parse(first[0][0].decode()).started_ms, count - 1)

    async def follow(self, key: AnswerKey, after: EventId) -> AsyncIterator[Batch]:
        """To the end marker; an empty batch says that nothing came for a while."""
        while True:
            found = await self._blocking.xread(
                {key.stream: str(after)}, count=BATCH, block=BLOCK_MS
            )
            batch = _batch(found[0][1] if found else [])
            if batch.events:
                after = batch.events[-1][0]
            yield batch
            if batch.ending is not None:
                return

    async def end(self, key: AnswerKey, parts: list[bytes], status: str, ttl_s: int) -> None:
        """Close the stream of a dead producer after what it left."""
        last = _batch(await self._redis.xrevrange(key.stream, count=1))
        if last.ending is not None:
            return
        started_ms, number = last.events[-1][0] if last.events else EventId(1, 0)
        pipeline = self._redis.pipeline(transaction=True)
        for part in parts:
            number += 1
            pipeline.xadd(key.stream, {"part": part}, id=f"{started_ms}-{number}")
        pipeline.xadd(key.stream, {"end": status}, id=f"{started_ms}-{number + 1}")
        pipeline.expire(key.stream, ttl_s)
        await pipeline.execute()

    async def forget(self, keys: list[AnswerKey]) -> None:
        if keys:
            await self._redis.delete(*(key.stream for key in keys))

    async def ask_to_stop(self, key: AnswerKey) -> None:
        """Tell whichever process is writing the answer."""
        await self._redis.publish(STOPS, f"{key.chat_id}:{key.message_id}")

    async def stops(self) -> AsyncIterator[AnswerKey]:
        """The answers that other processes want stopped."""
        async with self._redis.pubsub() as channel:
            await channel.subscribe(STOPS)
            while True:
                message = await channel.get_message(ignore_subscribe_messages=True, timeout=None)
                if message is not None:
                    chat_id, _, message_id = message["data"].decode().partition(":")
                    yield AnswerKey(chat_id, message_id)

    async def close(self) -> None:
        await self._redis.aclose()
        await self._blocking.aclose()


def _batch(entries: list[tuple[bytes, dict[bytes, bytes]]]) -> Batch:
    ending = entries[-1][1].get(b"end") if entries else None
    events = [
        (EventId.parse(entry_id.decode()), fields[b"part"])
        for entry_id, fields in entries
        if b"part" in fields
    ]
    return Batch(events, ending.decode() if ending is not None else None)
