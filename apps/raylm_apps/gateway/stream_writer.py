"""The producer's side of the Redis Streams: logs in memory, copied out in batches."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from raylm_apps.gateway.answer_log import AnswerKey, AnswerLog, EventId, data_of
from raylm_apps.gateway.redis_client import PATIENCE_S, UNAVAILABLE, Argument, RedisPipe, connect

# Of every stream: the lease beside it; when it began, how many entries it has, how many parts come,
# whether an older stream is to go, the final status if there is one; the parts.
APPEND = """
local ttl_s, lease_ms, at = ARGV[1], ARGV[2], 3
for i = 1, #KEYS, 2 do
  local stream, lease = KEYS[i], KEYS[i + 1]
  local started_ms, number, parts = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local is_new, replaces, ending = number == 0, ARGV[at + 3] == '1', ARGV[at + 4]
  at = at + 5
  if is_new and replaces then redis.call('DEL', stream) end
  for place = at, at + parts - 1 do
    redis.call('XADD', stream, started_ms .. '-' .. number, 'part', ARGV[place])
    number = number + 1
  end
  at = at + parts
  if is_new then
    redis.call('EXPIRE', stream, ttl_s)
    redis.call('SET', lease, 1, 'PX', lease_ms)
  end
  if ending ~= '' then
    redis.call('XADD', stream, started_ms .. '-' .. number, 'end', ending)
    redis.call('EXPIRE', stream, ttl_s)
    redis.call('DEL', lease)
  end
end
"""
TIMEOUT_S = 1.0
RETRY_S = 0.5
# Under load parts gather for a moment, which nobody sees; the first ones of an answer never wait.
GATHER_S = 0.02
FIRST_PARTS = 8
log = structlog.get_logger()


@dataclass
class _Copy:
    """How much of a log Redis has; None when an outage left it unknown."""

    log: AnswerLog
    keys: tuple[bytes, bytes]
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
        self._pipe = RedisPipe(url, timeout_s=TIMEOUT_S, connect_timeout_s=PATIENCE_S)
        self._lease_ms = round(lease_s * 1000)
        self._ttl_s = ttl_s
        self._copies: dict[AnswerKey, _Copy] = {}
        self._behind: set[AnswerKey] = set()
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._copied_at = -GATHER_S
        self.available = True

    def open(self, answer: AnswerLog) -> None:
        key = answer.key
        self._copies[key] = _Copy(answer, (key.stream.encode(), key.lease.encode()))

    def grown(self, answer: AnswerLog) -> None:
        """Readers see what Redis has: what they saw survives. Without Redis they see all."""
        if not self.available:
            answer.reveal()
        self._behind.add(answer.key)
        self._wake.set()
        if len(answer.frames) <= FIRST_PARTS or answer.ending is not None:
            self._hurry.set()

    async def run(self) -> None:
        """Copy whatever has grown; while one batch is on its way the next one gathers."""
        while True:
            await self._wake.wait()
            await self._gather()
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
        await self._pipe.close()
        await self._redis.aclose()

    async def _gather(self) -> None:
        """Wait a moment after the last batch, unless there is something that must not wait."""
        loop = asyncio.get_running_loop()
        left_s = self._copied_at + GATHER_S - loop.time()
        if left_s > 0:
            patience = loop.call_later(left_s, self._hurry.set)
            await self._hurry.wait()
            patience.cancel()
        self._hurry.clear()
        self._copied_at = loop.time()

    async def _copy_batch(self) -> None:
        batch = [self._copies[key] for key in self._behind if key in self._copies]
        self._behind.clear()
        for copy in batch:
            if copy.written is None:
                copy.written = await self._count_written(copy.log)
        keys: list[Argument] = []
        arguments: list[Argument] = [self._ttl_s, self._lease_ms]
        sizes = [_add(copy, keys, arguments) for copy in batch]
        if batch:
            await self._pipe.call("EVAL", APPEND, len(keys), *keys, *arguments)
        for copy, size in zip(batch, sizes, strict=True):
            copy.written = size
            copy.log.reveal(size)
            if size > len(copy.log.frames):
                del self._copies[copy.log.key]

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


def _add(copy: _Copy, keys: list[Argument], arguments: list[Argument]) -> int:
    """What Redis lacks of a log; returns the entries there will be, the end marker included."""
    answer, size = copy.log, len(copy.log.frames)
    assert copy.written is not None
    missing = [data_of(frame) for frame in answer.frames[copy.written : size]]
    keys += copy.keys
    arguments += (
        *(answer.started_ms, copy.written, len(missing), int(answer.replaces)),
        *(answer.ending or b"", *missing),
    )
    return size if answer.ending is None else size + 1
