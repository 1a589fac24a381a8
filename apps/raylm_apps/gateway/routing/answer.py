"""An answer by whichever deployment gives one: the one retry loop, before and after its beginning.

Nothing is asked again anywhere else: adapters report, here it is decided.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Generic, TypeVar

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError, ToolsRefusedError
from raylm_apps.gateway.routing.asked import Asked
from raylm_apps.gateway.routing.call import Attempt, Call, Meter
from raylm_apps.gateway.routing.circuit import State
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.routing.load import Load
from raylm_apps.gateway.routing.nobody import all_resting, nobody_left
from raylm_apps.gateway.routing.plan import Plan
from raylm_apps.gateway.routing.route import Deployment, Pool, Route
from raylm_apps.gateway.routing.watching import RoutingWatch

BACKOFF_S = 0.25  # before a deployment is asked again, doubled each time
T = TypeVar("T")


@dataclass(frozen=True)
class Knowledge:
    """What is known of the deployments, for all answers of this process."""

    board: CircuitBoard
    load: Load
    watch: RoutingWatch


class Answer(Generic[T]):
    """An async iterator of what the deployments say; closing it cancels their work at once."""

    def __init__(
        self, route: Route, plan: Plan, call: Call[T], known: Knowledge, meter: Meter
    ) -> None:
        self.attempts: list[Attempt] = []
        self.overhead_s = 0.0
        """Of the time until it began, what was not spent waiting for deployments."""
        self._route = route
        self._plan = plan
        self._call = call
        self._known = known
        self._meter = meter
        self._said: list[T] = []
        self._errors: list[ProviderError] = []
        self._waited_s = 0.0
        self._asked: Asked[T] | None = None
        self._items = self._relay()

    @property
    def model(self) -> str:
        """Who is answering."""
        assert self._asked is not None
        return self._asked.model

    async def begin(self) -> None:
        """Raises ProviderError where nobody answers."""
        started = time.perf_counter()
        self._asked = await self._ask()
        self.overhead_s = max(time.perf_counter() - started - self._waited_s, 0.0)

    def __aiter__(self) -> AsyncGenerator[T, None]:
        return self._items

    async def aclose(self) -> None:
        await self._items.aclose()
        if self._asked is not None:
            await self._asked.aclose()

    async def _relay(self) -> AsyncGenerator[T, None]:
        """What is said, by one after the other where answers break off."""
        while True:
            assert self._asked is not None
            asked = self._asked
            try:
                self._remember(asked.first)
                yield asked.first
                async for item in asked.items:
                    self._remember(item)
                    yield item
                return
            except ProviderError as error:
                self._note_failure(asked, error)
                if not self._call.goes_on:
                    raise
            finally:
                await asked.aclose()
            await self._meter.broke_off()
            self._asked = await self._ask()

    async def _ask(self) -> Asked[T]:
        """Ask one after the other until one begins."""
        while (asked := await self._next()) is not None:
            if winner := await self._begin_or_race(asked):
                self._meter.began(winner.deployment.card)
                return winner
        if not self._errors:
            raise all_resting(self._route.asked, self._known.board)
        raise nobody_left(self._route.name, self._errors, self.attempts)

    async def _next(self, *, stay: bool = False) -> Asked[T] | None:
        """Whose turn it is; of a half-open circuit only one probe gets through."""
        while (deployment := self._plan.next(self._may_ask, stay=stay)) is not None:
            pool, times = self._plan.pool, self._plan.times_asked(deployment)
            if times > 1:
                await self._wait(BACKOFF_S * 2 ** (times - 2))
            if not pool.obeys_circuits or await self._known.board.admit(deployment.model):
                return self._asking(pool, deployment)
        return None

    def _asking(self, pool: Pool, deployment: Deployment) -> Asked[T]:
        if self.attempts:
            last = self.attempts[-1]
            self._known.watch.fell_back(self._route.name, last, deployment.model)
        asked = Asked(pool, deployment, self._call, self._said, self._known.load)
        state = self._known.board.state(deployment.model)
        asked.is_probe = pool.obeys_circuits and state is State.HALF_OPEN
        return asked

    async def _begin_or_race(self, asked: Asked[T]) -> Asked[T] | None:
        started = time.perf_counter()
        try:
            if asked.pool.patience.hedge_after_s is None:
                return asked if await self._begins(asked) else None
            return await self._race(asked, asked.pool.patience.hedge_after_s)
        finally:
            self._waited_s += time.perf_counter() - started

    async def _begins(self, asked: Asked[T]) -> bool:
        try:
            await asked.begin()
        except ProviderError as error:
            self._note_failure(asked, error)
            return False
        finally:
            if not asked.has_begun:
                self._release(asked)
                await asked.aclose()
        self._known.board.succeeded(asked.model)
        self._note(Attempt(asked.model, asked.seconds))
        return True

    async def _race(self, asked: Asked[T], hedge_after_s: float) -> Asked[T] | None:
        """A second one is asked where the first is slow; who begins first wins."""
        racing = {asyncio.create_task(self._begins(asked)): asked}
        winner: Asked[T] | None = None
        try:
            done, _ = await asyncio.wait(racing, timeout=hedge_after_s)
            if not done and (rival := await self._next(stay=True)) is not None:
                racing[asyncio.create_task(self._begins(rival))] = rival
            while racing and winner is None:
                done, _ = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
                begun = [racing.pop(task) for task in done if task.result()]
                for task in done & racing.keys():
                    del racing[task]
                winner = next(iter(begun), None)
                for late in begun[1:]:
                    await late.aclose()
            await self._give_up(racing)
            return winner
        except BaseException:
            await self._give_up(racing)
            if winner is not None:
                await winner.aclose()
            raise

    async def _give_up(self, racing: "dict[asyncio.Task[bool], Asked[T]]") -> None:
        for task, asked in racing.items():
            if not task.done():
                self._note(Attempt(asked.model, asked.seconds, "overtaken"))
            task.cancel()
        if racing:
            await asyncio.wait(racing)
        for asked in racing.values():
            await asked.aclose()

    def _remember(self, item: T) -> None:
        if self._call.goes_on and self._route.has_others:
            self._said.append(item)

    async def _wait(self, seconds: float) -> None:
        self._waited_s += seconds
        await asyncio.sleep(seconds)

    def _may_ask(self, pool: Pool, deployment: Deployment) -> bool:
        return not pool.obeys_circuits or self._known.board.may_ask(deployment.model)

    def _note_failure(self, asked: Asked[T], error: ProviderError) -> None:
        asked.is_probe = False  # it has brought news
        self._errors.append(error)
        model, refused_tools = asked.model, isinstance(error, ToolsRefusedError)
        if refused_tools:
            self._known.board.succeeded(model)
        else:
            self._known.board.failed(
                model, error.failure, asked.pool.tolerance, error.retry_after_s
            )
        failure = Failure.REQUEST if refused_tools else error.failure
        self._plan.failed(asked.deployment, Failure.MISSING if refused_tools else failure)
        self._note(Attempt(model, asked.seconds, failure))

    def _note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self._known.watch.attempted(attempt)

    def _release(self, asked: Asked[T]) -> None:
        if asked.is_probe:
            self._known.board.released(asked.model)
