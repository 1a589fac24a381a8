"""Who answers, and how: every worker is asked now and then, on a thread that computing does not
hold up."""

import time
from collections.abc import Collection, Mapping, Sequence
from statistics import median
from typing import Any

from ray.exceptions import RayError

from raylm.runtime.calls import Calls
from raylm.runtime.crew import Hand
from raylm.runtime.worker import Vitals

SLOW = 2.5  # times its peers' own work in a step: one that is 3 times slower is found for certain
_PATIENCE = 3  # steps in a row in which a worker is slow
_ASKED_IN_A_LIMIT = 20


class Heartbeats:
    """`limit_s`: silent for so long, a worker counts as hung. `leaving`: who has said so before."""

    def __init__(
        self,
        hands: Sequence[Hand],
        limit_s: float,
        calls: Calls,
        leaving: Collection[Hand] = (),
    ) -> None:
        self._hands, self._limit_s, self._calls = tuple(hands), limit_s, calls
        self._asked: dict[int, tuple[Any, float]] = {}  # rank -> the answer to come, since when
        self._last_asked = 0.0
        self._vitals: dict[int, Vitals] = {}
        self.leaving_hands = set(leaving)
        self._slow_steps = [0] * len(self._hands)

    def silent(self) -> list[int]:
        """Ranks that owe an answer for longer than the limit. A dead one does not: Ray says so."""
        self.listen()
        now = time.monotonic()
        return [rank for rank, (_, since) in self._asked.items() if now - since > self._limit_s]

    def listen(self) -> None:
        """Take the answers that are there, and ask again when it is time."""
        refs = {ref: rank for rank, (ref, _) in self._asked.items()}
        answered, _ = self._calls.wait(list(refs), len(refs), 0.0)
        for ref in answered:
            del self._asked[refs[ref]]
            self._note(refs[ref], ref)
        now = time.monotonic()
        if now - self._last_asked >= self._limit_s / _ASKED_IN_A_LIMIT:
            self._last_asked = now
            for rank, hand in enumerate(self._hands):
                if rank not in self._asked:
                    self._asked[rank] = hand.actor.vitals.remote(), now

    @property
    def leaving(self) -> list[int]:
        """Ranks whose machine has told them that it is about to go."""
        return [rank for rank, hand in enumerate(self._hands) if hand in self.leaving_hands]

    @property
    def stragglers(self) -> list[int]:
        """Ranks that have been slow for some time."""
        return [rank for rank, count in enumerate(self._slow_steps) if count >= _PATIENCE]

    def _note(self, rank: int, answer: Any) -> None:
        try:
            [vitals] = self._calls.results([answer])
        except RayError:  # the call that is under way will tell
            self._vitals.pop(rank, None)
            return
        if vitals.is_leaving:
            self.leaving_hands.add(self._hands[rank])
        before = self._vitals.get(rank)
        self._vitals[rank] = vitals
        if before is not None and vitals.step > before.step:
            is_slow = rank in slow({r: v.own_work_s for r, v in self._vitals.items()})
            self._slow_steps[rank] = self._slow_steps[rank] + 1 if is_slow else 0


def slow(own_work_s: Mapping[int, float | None]) -> list[int]:
    """Ranks that took more than SLOW times their peers' median; None: not known (pure)."""
    found, known = [], {rank: s for rank, s in own_work_s.items() if s is not None}
    for rank, seconds in known.items():
        others = [other for peer, other in known.items() if peer != rank]
        if others and seconds > SLOW * median(others):
            found.append(rank)
    return found
