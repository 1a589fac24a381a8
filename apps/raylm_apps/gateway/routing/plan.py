"""Whom to ask next, after what has failed: pure but for the choice, which is given.

Members of a pool are asked each once, then, while attempts remain, those that may have got over
it again; then the pool's fallbacks. What is wrong with the question takes another way.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.routing.route import Deployment, Pool, Route

PASSING = frozenset({Failure.UNREACHABLE, Failure.TIMEOUT, Failure.BUSY, Failure.SERVER})
PASSING |= {Failure.BROKEN_OFF}
Choice = Callable[[Pool, Sequence[Deployment]], Deployment]
Test = Callable[[Pool, Deployment], bool]


class Plan:
    def __init__(self, route: Route, choose: Choice) -> None:
        self.pool = route.asked
        self._route = route
        self._choose = choose
        self._entered = {route.asked.name}
        self._queue = deque(route.asked.fallbacks)
        self._attempts_left = route.asked.attempts
        self._asked: Counter[str] = Counter()
        self._hopeless: set[str] = set()
        self._is_over = False

    def next(self, may_ask: Test, *, stay: bool = False) -> Deployment | None:
        """None: nobody is left; with `stay`, in the pool in hand."""
        while not self._is_over:
            candidates = self._candidates(may_ask)
            if candidates:
                chosen = self._choose(self.pool, candidates)
                self._attempts_left -= 1
                self._asked[chosen.model] += 1
                return chosen
            if stay:
                return None
            self._is_over = not self._enter_next()
        return None

    def times_asked(self, deployment: Deployment) -> int:
        return self._asked[deployment.model]

    def failed(self, deployment: Deployment, failure: Failure) -> None:
        """What it means for whoever is next."""
        if failure not in PASSING:
            self._hopeless.add(deployment.model)
        match failure:
            case Failure.REQUEST:
                self._is_over = True
            case Failure.TOO_LONG:
                self._turn_to(self.pool.context_fallbacks, self._route.asked.context_fallbacks)
            case Failure.POLICY:
                self._turn_to(self.pool.policy_fallbacks, self._route.asked.policy_fallbacks)

    def _candidates(self, may_ask: Test) -> list[Deployment]:
        """Of the pool in hand: those asked the least, and each no more often than its attempts
        are enough for all members."""
        if self._attempts_left <= 0:
            return []
        rounds = math.ceil(self.pool.attempts / max(len(self.pool.members), 1))
        possible = [
            member
            for member in self.pool.members
            if self._asked[member.model] < rounds
            and member.model not in self._hopeless
            and may_ask(self.pool, member)
        ]
        least = min((self._asked[member.model] for member in possible), default=0)
        return [member for member in possible if self._asked[member.model] == least]

    def _turn_to(self, *names: Sequence[str]) -> None:
        self._attempts_left = 0
        self._queue = deque(name for some in names for name in some)

    def _enter_next(self) -> bool:
        while self._queue:
            name = self._queue.popleft()
            pool = self._route.others.get(name)
            if pool is not None and name not in self._entered:
                self._entered.add(name)
                self.pool, self._attempts_left = pool, pool.attempts
                self._queue.extend(pool.fallbacks)
                return True
        return False
