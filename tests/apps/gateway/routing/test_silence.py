import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.routing.silence import watched


class Source:
    """Says `words`, each after so many seconds; knows whether it was closed."""

    def __init__(self, *words: tuple[str, float]) -> None:
        self.words = words
        self.is_closed = False

    async def stream(self) -> AsyncGenerator[str, None]:
        try:
            for word, pause_s in self.words:
                await asyncio.sleep(pause_s)
                yield word
        finally:
            self.is_closed = True


async def said(source: Source, first_s: float | None, between_s: float | None) -> list[str]:
    return [word async for word in watched(source.stream(), first_s, between_s)]


async def test_whoever_speaks_in_time_is_heard_to_the_end() -> None:
    source = Source(("a", 0.2), ("b", 0.0), ("c", 0.2), ("d", 0.2))
    assert await said(source, 1, 1) == ["a", "b", "c", "d"]
    assert await said(source, None, None) == ["a", "b", "c", "d"]
    assert source.is_closed


@pytest.mark.parametrize(
    ("source", "first_s", "between_s"),
    [
        (Source(("a", 30)), 0.1, 30),
        (Source(("a", 0), ("b", 30)), 30, 0.1),  # the shorter patience counts at once
        (Source(("a", 0), ("b", 0.15), ("c", 0.15), ("d", 30)), None, 0.5),
    ],
    ids=["before the first", "after it", "after some"],
)
async def test_silence_is_a_timeout_and_closes_the_source(
    source: Source, first_s: float | None, between_s: float | None
) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(ProviderError) as error:
            await said(source, first_s, between_s)
    assert error.value.failure is Failure.TIMEOUT
    assert source.is_closed
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_source_that_is_slow_at_first_may_be() -> None:
    assert await said(Source(("a", 0.4), ("b", 0.0)), None, 0.2) == ["a", "b"]


async def test_a_reader_that_goes_is_no_timeout() -> None:
    source = Source(("a", 30))
    reading = asyncio.create_task(said(source, 60, 60))
    await asyncio.sleep(0.05)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert source.is_closed


async def test_nor_is_one_that_goes_as_the_time_is_up() -> None:
    """Both cancel the same task, in one turn of the loop: whoever wanted it gone has it gone."""
    source, loop = Source(("a", 30)), asyncio.get_running_loop()
    reading = asyncio.create_task(said(source, 0.1, 60))
    await asyncio.sleep(0)
    loop.call_later(0.05, time.sleep, 0.2)
    loop.call_later(0.15, reading.cancel)
    await asyncio.wait([reading])
    assert reading.cancelled()


async def test_its_own_timeouts_may_be_set_around_it() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await said(Source(("a", 30)), 60, 60)
