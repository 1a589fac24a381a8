"""Circuits that several processes share over one Redis, and each keeps while it is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.background import background
from raylm_apps.gateway.embedded import StoreUrls
from raylm_apps.gateway.embedded.valkey import Valkey
from raylm_apps.gateway.routing.circuit import State, Tolerance
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from tests.apps.gateway.harness import new_id
from tests.apps.gateway.routing.bench import NO_REDIS

TOLERANCE = Tolerance(allowed_fails=2, cooldown_s=0.6)
PATIENT = Tolerance(allowed_fails=2, cooldown_s=30)


class Process:
    """A board as one process has it, and what it was told to show."""

    def __init__(self, redis_url: str) -> None:
        self.shown: dict[str, bool] = {}
        self.board = CircuitBoard(redis_url, on_change=self.shown.__setitem__)

    def fail(self, model: str, times: int = 1, tolerance: Tolerance = TOLERANCE) -> None:
        for _ in range(times):
            self.board.failed(model, Failure.SERVER, tolerance)

    async def until(self, model: str, state: State) -> None:
        async with asyncio.timeout(10):
            while self.board.state(model) is not state:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def processes(redis_url: str, count: int = 2) -> AsyncIterator[list[Process]]:
    found = [Process(redis_url) for _ in range(count)]
    try:
        async with background([process.board.run() for process in found]):
            yield found
    finally:
        for process in found:
            await process.board.close()


@pytest.fixture
def model() -> str:
    return f"up/{new_id()}"


@pytest.mark.services
async def test_what_one_has_opened_is_open_for_all(stores: StoreUrls, model: str) -> None:
    async with processes(stores.redis_url, 3) as (one, *others):
        one.board.failed(model, Failure.BUSY, TOLERANCE, retry_after_s=30)
        for other in others:
            await other.until(model, State.OPEN)
            assert 28 < other.board.open_for_s(model) <= 30
            assert not await other.board.admit(model)
            assert other.shown[model] is True


@pytest.mark.services
async def test_failures_of_all_are_counted_together(stores: StoreUrls, model: str) -> None:
    async with processes(stores.redis_url, 3) as all_:
        for process in all_:
            process.fail(model, tolerance=PATIENT)
            assert process.board.state(model) is State.CLOSED
        for process in all_:
            await process.until(model, State.OPEN)


@pytest.mark.services
async def test_one_probe_among_all_processes_and_its_end_is_everybodys(
    stores: StoreUrls, model: str
) -> None:
    async with processes(stores.redis_url, 4) as all_:
        all_[0].fail(model, 3)
        for process in all_:
            await process.until(model, State.OPEN)
        for process in all_:
            await process.until(model, State.HALF_OPEN)
        admitted = await asyncio.gather(*(process.board.admit(model) for process in all_ * 3))
        assert sum(admitted) == 1
        prober = all_[admitted.index(True) % len(all_)]
        prober.board.succeeded(model)
        for process in all_:
            await process.until(model, State.CLOSED)
            assert await process.board.admit(model)
            assert process.shown[model] is False


@pytest.mark.services
async def test_a_probe_that_fails_opens_it_for_all_again(stores: StoreUrls, model: str) -> None:
    async with processes(stores.redis_url) as (one, other):
        one.fail(model, 3)
        await other.until(model, State.OPEN)
        await other.until(model, State.HALF_OPEN)
        assert await other.board.admit(model)
        other.fail(model, tolerance=PATIENT)
        await one.until(model, State.OPEN)
        assert one.board.open_for_s(model) > 20


@pytest.mark.services
async def test_a_probe_that_was_given_up_leaves_it_to_another(
    stores: StoreUrls, model: str
) -> None:
    async with processes(stores.redis_url) as (one, other):
        one.fail(model, 3)
        await other.until(model, State.OPEN)
        await other.until(model, State.HALF_OPEN)
        await one.until(model, State.HALF_OPEN)
        assert await other.board.admit(model)
        assert not await one.board.admit(model)
        other.board.released(model)
        async with asyncio.timeout(10):
            while not await one.board.admit(model):
                await asyncio.sleep(0.01)
        assert not await other.board.admit(model)


async def test_without_redis_each_knows_its_own(model: str) -> None:
    async with processes(NO_REDIS) as (one, other):
        one.fail(model, 3)
        assert one.board.state(model) is State.OPEN
        assert not await one.board.admit(model)
        assert await other.board.admit(model)
        await one.until(model, State.HALF_OPEN)
        assert await one.board.admit(model)
        assert not await one.board.admit(model)
        one.board.succeeded(model)
        assert one.board.state(model) is State.CLOSED


@pytest.mark.services
async def test_what_happened_while_redis_was_away_is_told_when_it_is_back(
    tmp_path_factory: pytest.TempPathFactory, model: str
) -> None:
    folder = tmp_path_factory.mktemp("v")
    valkey = Valkey(folder / "data", folder, folder / "log")
    (folder / "data").mkdir()
    valkey.start()
    try:
        async with processes(valkey.url) as (one, other):
            one.fail("up/first", 3, PATIENT)
            await other.until("up/first", State.OPEN)
            valkey.stop()
            one.fail(model, 3, PATIENT)
            assert not await one.board.admit(model)
            assert await other.board.admit(model)
            valkey.start()
            await other.until(model, State.OPEN)
            assert one.board.state(model) is State.OPEN
            assert other.board.state("up/first") is State.OPEN
    finally:
        valkey.stop()
