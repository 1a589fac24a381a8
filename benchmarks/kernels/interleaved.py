"""Times of several calls in turns, and a table of what part of a limit each reaches."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

Clock = Callable[[], float]


def median_seconds(
    calls: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = time.perf_counter
) -> dict[str, float]:
    """Of each call; what slows the machine down for a while slows all of them."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            began = clock()
            call()
            found[name].append(clock() - began)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


@dataclass(frozen=True, slots=True)
class Result:
    """`rate` in `unit`; `limit` is what it is a fraction of; `peers`: name -> how many times as
    fast as it."""

    name: str
    rate: float
    unit: str
    limit: float
    bar: float | None = None
    peers: Mapping[str, float] | None = None

    @property
    def fraction(self) -> float:
        return self.rate / self.limit

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        return "met" if self.fraction >= self.bar else "missed"


def print_fractions(title: str, limit: str, results: list[Result]) -> None:
    table = Table("", "rate", limit, "fraction", "bar", "", "faster than", title=title)
    for one in results:
        peers = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in (one.peers or {}).items())
        table.add_row(
            one.name,
            f"{one.rate:.1f} {one.unit}",
            f"{one.limit:.1f}",
            f"{one.fraction:.2f}",
            "" if one.bar is None else f"{one.bar:.2f}",
            one.verdict,
            peers,
        )
    Console().print(table)
