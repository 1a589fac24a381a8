"""The router: a route and a call in, an answer that has begun out."""

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from raylm_apps.gateway.routing.answer import Answer, Knowledge
from raylm_apps.gateway.routing.call import Call, Meter, Unmetered
from raylm_apps.gateway.routing.circuit_board import CircuitBoard
from raylm_apps.gateway.routing.load import Load
from raylm_apps.gateway.routing.plan import Plan
from raylm_apps.gateway.routing.route import Deployment, Pool, Route
from raylm_apps.gateway.routing.strategy import Candidate, choose
from raylm_apps.gateway.routing.watching import RoutingWatch

T = TypeVar("T")


class Router:
    def __init__(
        self,
        board: CircuitBoard,
        watch: RoutingWatch,
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._known = Knowledge(board, Load(), watch)
        self._draw = draw

    async def open(self, route: Route, call: Call[T], meter: Meter | None = None) -> Answer[T]:
        """Whoever answers has begun when this returns. Raises ProviderError; close the answer."""
        plan = Plan(route, self._choose)
        answer = Answer(route, plan, call, self._known, meter or Unmetered())
        await answer.begin()
        return answer

    def _choose(self, pool: Pool, deployments: Sequence[Deployment]) -> Deployment:
        candidates = [self._candidate(deployment) for deployment in deployments]
        chosen = choose(pool.strategy, candidates, self._draw())
        return deployments[candidates.index(chosen)]

    def _candidate(self, deployment: Deployment) -> Candidate:
        load, model = self._known.load, deployment.model
        return Candidate(
            model,
            deployment.weight,
            deployment.priority,
            load.in_flight(model),
            load.latency_s(model),
            deployment.price,
        )
