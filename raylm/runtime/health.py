"""Who answers: every worker is asked now and then, on a thread that computing does not hold up."""

import time
from collections.abc import Sequence
from typing import Any

import ray

from raylm.runtime.crew import Hand

_ASKED_IN_A_LIMIT = 5


class Heartbeats:
    """`limit_s`: silent for so long, a worker counts as hung."""

    def __init__(self, hands: Sequence[Hand], limit_s: float) -> None:
        self._hands, self._limit_s = tuple(hands), limit_s
        self._asked: dict[int, tuple[Any, float]] = {}  # rank -> the answer to come, since when
        self._last_asked = 0.0

    def silent(self) -> list[int]:
        """Ranks that owe an answer for longer than the limit. A dead one does not: Ray says so."""
        now = time.monotonic()
        refs = {ref: rank for rank, (ref, _) in self._asked.items()}
        if refs:
            answered, _ = ray.wait(list(refs), num_returns=len(refs), timeout=0)
            for ref in answered:
                del self._asked[refs[ref]]
        if now - self._last_asked >= self._limit_s / _ASKED_IN_A_LIMIT:
            self._last_asked = now
            for rank, hand in enumerate(self._hands):
                if rank not in self._asked:
                    self._asked[rank] = hand.actor.identify.remote(), now
        return [rank for rank, (_, since) in self._asked.items() if now - since > self._limit_s]
