"""How many answers are written at once, for a user and an address, by all processes together.

A slot is a member of a sorted set in Redis, scored by when its holder must have renewed it: what
a killed process held is free a while later. While Redis is away each process knows its own.
"""

import asyncio
import uuid
from dataclasses import dataclass

from raylm_apps.gateway.counter_store import CounterStore
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.redis_client import UNAVAILABLE

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
FREE = """
for i, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[i]) end
"""
LEASE_S = 30.0
RETRY_S = 1.0
MOST_UNTOLD = 10_000


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
    """Held until it is given back."""

    id: str
    rooms: tuple[Room, ...]


class Slots:
    def __init__(self, redis_url: str, *, enforced: bool = True) -> None:
        self._store = CounterStore(redis_url)
        self._enforced = enforced
        self._held: dict[str, Slot] = {}
        self._free: list[Slot] = []
        self._wake = asyncio.Event()

    async def take(self, *rooms: Room) -> Slot:
        """Raises rate_limit:chat where one of them is full. Give it back."""
        slot = Slot(uuid.uuid4().hex, rooms)
        if not self._enforced:
            return slot
        self._held[slot.id] = slot  # at once, so that a process alone counts what is on its way
        try:
            full = await self._ask(slot) if self._store.is_up else self._full_here(slot)
        except BaseException:
            self.give_back(slot)
            raise
        if full is not None:
            del self._held[slot.id]
            raise ApiError("rate_limit:chat", f"at most {full.most} at a time", retry_after_s=1)
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
            held = [(room.key, slot.id) for slot in free for room in slot.rooms]
            keys, ids = zip(*held, strict=True)
            try:
                await self._store.run(FREE, keys, ids)
            except UNAVAILABLE:
                self._free = (free + self._free)[-MOST_UNTOLD:]
                await asyncio.sleep(RETRY_S)
                self._wake.set()

    async def keep(self) -> None:
        """Renew what is held, long before it expires."""
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                for slot in list(self._held.values()):
                    await self._renew_if_held(slot)
            except UNAVAILABLE as error:
                self._store.note_outage(error)

    async def close(self) -> None:
        await self._store.close()

    async def _renew_if_held(self, slot: Slot) -> None:
        for room in slot.rooms:
            if slot.id in self._held:
                await self._store.run(RENEW, [room.key], [slot.id, round(LEASE_S * 1000)])

    async def _ask(self, slot: Slot) -> Room | None:
        keys = [room.key for room in slot.rooms]
        args: list[str | int] = [slot.id, round(LEASE_S * 1000)]
        args += [room.most for room in slot.rooms]
        try:
            full = await self._store.run(TAKE, keys, args)
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return self._full_here(slot)
        return slot.rooms[full - 1] if full else None

    def _full_here(self, slot: Slot) -> Room | None:
        others = [other for other in self._held.values() if other is not slot]
        for room in slot.rooms:
            if sum(room in other.rooms for other in others) >= room.most:
                return room
        return None
