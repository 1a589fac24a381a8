"""Which of the models that could answer is asked first: pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Strategy = Literal["ordered", "weighted", "least-busy", "lowest-latency", "cheapest"]


@dataclass(frozen=True)
class Candidate:
    model: str
    weight: float = 1.0
    priority: int = 0
    in_flight: int = 0
    latency_s: float | None = None
    """To the first token, lately; None: not known yet."""
    price: float | None = None


def choose(strategy: Strategy, candidates: Sequence[Candidate], draw: float) -> Candidate:
    """One of those with the lowest priority; `draw` from [0, 1) decides where it is left to chance.

    Weights share out what is equal: 3 gets three times as much as 1.
    """
    lowest = min(candidate.priority for candidate in candidates)
    first = [candidate for candidate in candidates if candidate.priority == lowest]
    if strategy == "ordered":
        return first[0]
    return _drawn(_best(first, _RANK[strategy]), draw)


Rank = Callable[[Candidate], float]


def _drawn(candidates: Sequence[Candidate], draw: float) -> Candidate:
    left = draw * sum(candidate.weight for candidate in candidates)
    for candidate in candidates:
        left -= candidate.weight
        if left < 0:
            return candidate
    return candidates[-1]  # the sum was rounded


def _best(candidates: Sequence[Candidate], rank: Rank) -> list[Candidate]:
    best = min(map(rank, candidates))
    return [candidate for candidate in candidates if rank(candidate) == best]


_RANK: dict[Strategy, Rank] = {
    "weighted": lambda candidate: 0.0,
    "least-busy": lambda candidate: candidate.in_flight / candidate.weight,
    # one that has not been asked yet is asked, so that its latency becomes known
    "lowest-latency": lambda candidate: candidate.latency_s or 0.0,
    "cheapest": lambda candidate: float("inf") if candidate.price is None else candidate.price,
}
