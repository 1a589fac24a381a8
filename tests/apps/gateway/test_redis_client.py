"""The pipe that all of a process's commands go through."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.redis_client import UNAVAILABLE, RedisPipe, connect
from tests.apps.gateway.harness import free_port, new_id

services = pytest.mark.services


@pytest.fixture
async def pipe(stores: StoreUrls) -> AsyncIterator[RedisPipe]:
    pipe = RedisPipe(stores.redis_url, timeout_s=10, connect_timeout_s=10)
    yield pipe
    await pipe.close()


@services
async def test_everybody_gets_their_own_reply(pipe: RedisPipe) -> None:
    words = [f"{number} é \r\n$3".encode() * (number % 7) for number in range(500)]
    assert await asyncio.gather(*(pipe.call("ECHO", word) for word in words)) == words
    assert await pipe.call("ECHO", 17) == b"17"


@services
async def test_what_redis_refuses_is_one_callers_error(pipe: RedisPipe) -> None:
    key = new_id()
    added, wrong, found = await asyncio.gather(
        pipe.call("SET", key, "word"),
        pipe.call("INCR", key),
        pipe.call("GET", key),
        return_exceptions=True,
    )
    assert added in (b"OK", "OK")
    assert isinstance(wrong, ResponseError)
    assert found == b"word"


@services
async def test_who_gives_up_does_not_take_anothers_reply(pipe: RedisPipe) -> None:
    first = asyncio.create_task(pipe.call("ECHO", "first"))
    second = asyncio.create_task(pipe.call("ECHO", "second"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"second"
    assert await pipe.call("ECHO", "third") == b"third"


@services
async def test_a_lost_connection_is_made_anew(pipe: RedisPipe, stores: StoreUrls) -> None:
    number = await pipe.call("CLIENT", "ID")
    client = connect(stores.redis_url, timeout_s=10)
    await client.client_kill_filter(_id=str(number))
    await client.aclose()
    for _ in range(2):
        try:
            assert await pipe.call("ECHO", "back") == b"back"
        except UNAVAILABLE:
            continue
        break
    assert await pipe.call("CLIENT", "ID") != number


@services
async def test_a_redis_that_does_not_answer_is_away(stores: StoreUrls) -> None:
    pipe = RedisPipe(stores.redis_url, timeout_s=0.2, connect_timeout_s=10)
    slow = asyncio.create_task(pipe.call("BLPOP", new_id(), 5))
    with pytest.raises(UNAVAILABLE):
        await slow
    assert await pipe.call("ECHO", "again") == b"again"
    await pipe.close()


async def test_where_nobody_listens_it_is_away() -> None:
    pipe = RedisPipe(f"redis://127.0.0.1:{free_port()}", timeout_s=10, connect_timeout_s=10)
    replies = await asyncio.gather(*(pipe.call("PING") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(reply, UNAVAILABLE) for reply in replies)
    await pipe.close()


@services
async def test_whoever_waits_is_told_of_the_end(stores: StoreUrls) -> None:
    pipe = RedisPipe(stores.redis_url, timeout_s=10, connect_timeout_s=10)
    waiting = asyncio.create_task(pipe.call("BLPOP", new_id(), 5))
    await asyncio.sleep(0.1)
    behind = asyncio.create_task(pipe.call("PING"))
    await asyncio.sleep(0)
    await pipe.close()
    for task in (waiting, behind):
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                await task
