"""How many answers are written at once, for a user and an address, by all processes together.

A slot is a member of a sorted set in Redis, scored by when its holder must have renewed it: what
a killed process held is free a while later. While Redis is away each process knows its own.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass
from typing import Any

import structlog

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.streams import PATIENCE_S, UNAVAILABLE, connect

TAKE = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if redis.call('ZCARD', key) >= tonumber(ARGV[2 + i]) then return i end
end
for _, key in ipairs(KEYS) do
  redis.call('ZADD', key, now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', key, ARGV[2])
end
return 0
"""
RENEW = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
LEASE_S = 30.0
RETRY_S = 1.0
logger = structlog.get_logger()


@dataclass(frozen=True)
class Room:
    """So many at once, of a user or an address."""

    subject: str
    most: int

    @property
    def key(self) -> str:
        return f"slots:{self.subject}"


@dataclass(frozen=True)
class Slot:
    id: str
    rooms: tuple[Room, ...]


class Slots:
    def __init__(self, redis_url: str, *, enforced: bool = True) -> None:
        self._redis: Any = connect(redis_url, timeout_s=PATIENCE_S)
        self._take = self._redis.register_script(TAKE)
        self._renew = self._redis.register_script(RENEW)
        self._enforced = enforced
        self._held: dict[str, Slot] = {}
        self._free: list[Slot] = []
        self._wake = asyncio.Event()
        self._away_until = 0.0

    async def take(self, *rooms: Room) -> Slot:
        """Raises rate_limit:chat where one of them is full. Give it back."""
        slot = Slot(uuid.uuid4().hex, rooms)
        if not self._enforced:
            return slot
        if self._is_up:
            full = await self._take_in_redis(slot)
        else:
            full = self._full_here(slot)
        if full is not None:
            raise ApiError("rate_limit:chat", f"at most {full.most} at a time", retry_after_s=1)
        self._held[slot.id] = slot
        return slot

    def give_back(self, slot: Slot) -> None:
        if self._held.pop(slot.id, None) is not None:
            self._free.append(slot)
            self._wake.set()

    async def run(self) -> None:
        """Tell Redis of what is free; what it does not hear of there expires."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            free, self._free = self._free, []
            pipeline = self._redis.pipeline(transaction=False)
            for slot in free:
                for room in slot.rooms:
                    pipeline.zrem(room.key, slot.id)
            try:
                await pipeline.execute()
            except UNAVAILABLE:
                self._free = (free + self._free)[-10_000:]
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                for slot in list(self._held.values()):
                    for room in slot.rooms:
                        if slot.id in self._held:
                            await self._renew(
                                keys=[room.key], args=[slot.id, round(LEASE_S * 1000)]
                            )
            except UNAVAILABLE as error:
                self._note_outage(error)

    async def close(self) -> None:
        await self._redis.aclose()

    @property
    def _is_up(self) -> bool:
        return time.monotonic() >= self._away_until

    async def _take_in_redis(self, slot: Slot) -> Room | None:
        keys = [room.key for room in slot.rooms]
        args: list[str | int] = [
            slot.id,
            round(LEASE_S * 1000),
            *(room.most for room in slot.rooms),
        ]
        try:
            full = await self._take(keys=keys, args=args)
        except UNAVAILABLE as error:
            self._note_outage(error)
            return self._full_here(slot)
        return slot.rooms[full - 1] if full else None

    def _full_here(self, slot: Slot) -> Room | None:
        for room in slot.rooms:
            held = sum(room.key in {r.key for r in other.rooms} for other in self._held.values())
            if held >= room.most:
                return room
        return None

    def _note_outage(self, error: BaseException) -> None:
        self._away_until = time.monotonic() + RETRY_S
        logger.warning("answers at once are counted by each process alone", error=str(error))
