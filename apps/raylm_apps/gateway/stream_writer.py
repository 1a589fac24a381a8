"""The producer's side of the Redis Streams: logs in memory copied out in pipelined batches."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from raylm_apps.gateway.answer_log import AnswerKey, AnswerLog, EventId
from raylm_apps.gateway.streams import UNAVAILABLE, connect

TIMEOUT_S = 1.0
RETRY_S = 0.5
log = structlog.get_logger()


@dataclass
class _Copy:
    """How much of a log Redis has; None when an outage left it unknown."""

    log: AnswerLog
    written: int | None = 0


class StreamWriter:
    """Redis may come and go: ids follow from the log, so that a copy goes on where it broke."""

    def __init__(
        self,
        url: str,
        *,
        lease_s: float,
        ttl_s: int,
        on_outage: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_outage = on_outage
        self._redis: Any = connect(url, timeout_s=TIMEOUT_S)
        self._lease_ms = round(lease_s * 1000)
        self._ttl_s = ttl_s
        self._copies: dict[AnswerKey, _Copy] = {}
        self._behind: set[AnswerKey] = set()
        self._wake = asyncio.Event()
        self.available = True

    def open(self, answer: AnswerLog) -> None:
        self._copies[answer.key] = _Copy(answer)

    def grown(self, answer: AnswerLog) -> None:
        """Readers see what Redis has: what they saw survives. Without Redis they see all."""
        if not self.available:
            answer.reveal()
        self._behind.add(answer.key)
        self._wake.set()

    async def run(self) -> None:
        """Copy whatever has grown; while one batch is on its way the next one gathers."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._copy_batch()
                self._note(available=True)
            except UNAVAILABLE as error:
                self._note(available=False, error=str(error))
                self._forget_what_is_written()
                await asyncio.sleep(RETRY_S)

    async def keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease_ms / 3000)
            if self._copies:
                with contextlib.suppress(*UNAVAILABLE):  # the copying loop notices and reports
                    await self._renew(list(self._copies))

    async def drain(self, timeout_s: float) -> None:
        """Wait until Redis has every log that has ended, or as long as given."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._copies and self.available:
                    await asyncio.sleep(0.01)

    async def close(self) -> None:
        await self._redis.aclose()

    async def _copy_batch(self) -> None:
        batch = [self._copies[key] for key in self._behind if key in self._copies]
        self._behind.clear()
        for copy in batch:
            if copy.written is None:
                copy.written = await self._count_written(copy.log)
        pipeline = self._redis.pipeline(transaction=False)
        sizes = [self._add(pipeline, copy) for copy in batch]
        if batch:
            await pipeline.execute()
        for copy, size in zip(batch, sizes, strict=True):
            copy.written = size
            copy.log.reveal(size)
            if size > len(copy.log.data):
                del self._copies[copy.log.key]

    def _add(self, pipeline: Any, copy: _Copy) -> int:
        """Queue what is missing; returns the entries there will be, the end marker included."""
        answer, key = copy.log, copy.log.key
        assert copy.written is not None
        size = len(answer.data)
        if copy.written == 0 and answer.replaces:
            pipeline.delete(key.stream)
        for number in range(copy.written, size):
            pipeline.xadd(key.stream, {"part": answer.data[number]}, id=str(answer.id_of(number)))
        if copy.written == 0:
            pipeline.expire(key.stream, self._ttl_s)
            pipeline.set(key.lease, 1, px=self._lease_ms)
        if answer.ending is not None:
            pipeline.xadd(key.stream, {"end": answer.ending}, id=str(answer.id_of(size)))
            pipeline.expire(key.stream, self._ttl_s)
            pipeline.delete(key.lease)
            size += 1
        return size

    async def _count_written(self, answer: AnswerLog) -> int:
        """A Redis that came back may have lost the last second, or everything."""
        last = await self._redis.xrevrange(answer.key.stream, count=1)
        newest = EventId.parse(last[0][0].decode()) if last else None
        return newest.number + 1 if newest and newest.started_ms == answer.started_ms else 0

    async def _renew(self, keys: list[AnswerKey]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for key in keys:
            pipeline.set(key.lease, 1, px=self._lease_ms)
            pipeline.expire(key.stream, self._ttl_s)
        await pipeline.execute()

    def _forget_what_is_written(self) -> None:
        """Answers that ended during the outage need no stream any more: PostgreSQL has them."""
        for copy in self._copies.values():
            copy.written = None
            copy.log.reveal()
        self._copies = {key: c for key, c in self._copies.items() if c.log.ending is None}
        self._behind = set(self._copies)
        if self._behind:
            self._wake.set()

    def _note(self, *, available: bool, error: str = "") -> None:
        if available != self.available:
            self.available = available
            if not available:
                self._on_outage()
            log.warning("redis is back" if available else "redis is away", error=error)
