import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from raylm_apps.gateway import slots as slots_module
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.slots import Room, Slot, Slots
from tests.apps.gateway.harness import free_port, new_id

services = pytest.mark.services


async def taken(slots: Slots, *rooms: Room, times: int) -> list[Slot]:
    results = await asyncio.gather(
        *(slots.take(*rooms) for _ in range(times)), return_exceptions=True
    )
    assert {type(result) for result in results} <= {Slot, ApiError}
    return [result for result in results if isinstance(result, Slot)]


@pytest.fixture
async def slots(stores: StoreUrls) -> AsyncIterator[Slots]:
    slots = Slots(stores.redis_url)
    loop = asyncio.create_task(slots.run())
    yield slots
    loop.cancel()
    await slots.close()


@services
async def test_of_200_at_once_as_many_pass_as_there_is_room_for(
    slots: Slots, stores: StoreUrls
) -> None:
    room = Room(new_id(), 8)
    other = Slots(stores.redis_url)
    here, there = await asyncio.gather(*(taken(s, room, times=100) for s in (slots, other)))
    await other.close()
    assert len(here) + len(there) == 8


@services
async def test_what_is_given_back_is_free(slots: Slots) -> None:
    room = Room(new_id(), 1)
    slot = await slots.take(room)
    assert await taken(slots, room, times=3) == []
    slots.give_back(slot)
    slots.give_back(slot)
    async with asyncio.timeout(10):
        while not await taken(slots, room, times=1):
            await asyncio.sleep(0.01)
    assert await taken(slots, room, times=3) == []


@services
async def test_a_full_address_keeps_out_users_with_room(slots: Slots) -> None:
    address = Room(new_id(), 3)
    users = [Room(new_id(), 2) for _ in range(4)]
    held = [len(await taken(slots, user, address, times=1)) for user in users]
    assert held == [1, 1, 1, 0]


@services
async def test_what_a_killed_process_held_is_free_again(
    slots: Slots, stores: StoreUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "LEASE_S", 0.3)
    room = Room(new_id(), 1)
    killed = Slots(stores.redis_url)
    await killed.take(room)
    await killed.close()
    assert await taken(slots, room, times=1) == []
    await asyncio.sleep(0.35)
    assert len(await taken(slots, room, times=1)) == 1


@services
async def test_a_long_answer_keeps_its_slot_even_from_a_redis_that_forgot(
    slots: Slots, stores: StoreUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots_module, "LEASE_S", 0.6)
    room = Room(new_id(), 1)
    keeping = asyncio.create_task(slots.keep())
    await slots.take(room)
    client = redis.asyncio.Redis.from_url(stores.redis_url)
    await client.delete(room.key)
    await asyncio.sleep(1.5)
    assert await taken(slots, room, times=3) == []
    keeping.cancel()
    await client.aclose()


async def test_without_redis_the_process_counts_for_itself() -> None:
    slots = Slots(f"redis://127.0.0.1:{free_port()}")
    room = Room("somebody", 8)
    held = await taken(slots, room, times=200)
    assert len(held) == 8
    slots.give_back(held[0])
    assert len(await taken(slots, room, times=2)) == 1
    await slots.close()


async def test_limits_can_be_lifted() -> None:
    slots = Slots("redis://127.0.0.1:1", enforced=False)
    assert len(await taken(slots, Room("somebody", 1), times=5)) == 5
    await slots.close()
