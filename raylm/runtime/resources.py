"""What a worker group asks of a cluster, and what to say when the cluster is too small."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Placement:
    """`size` equal bundles. PACK keeps workers on few nodes, SPREAD on many."""

    size: int
    resources: Mapping[str, float]
    strategy: str = "PACK"

    @property
    def bundles(self) -> list[dict[str, float]]:
        return [dict(self.resources) for _ in range(self.size)]

    def shortage(self, total: Mapping[str, float]) -> dict[str, float]:
        """By resource, how much a whole cluster with `total` lacks; empty when it can fit."""
        needed = {name: amount * self.size for name, amount in self.resources.items()}
        return {n: a - total.get(n, 0.0) for n, a in needed.items() if a > total.get(n, 0.0)}

    def of(self, size: int) -> Self:
        return replace(self, size=size)

    def describe(self) -> str:
        return f"{self.size} workers x {describe(self.resources)}"


def describe(resources: Mapping[str, float]) -> str:
    """`{CPU: 2, GPU: 1}`, without the nodes, bytes and bundles that Ray lists beside them."""
    hidden = (":", "memory", "_group_")
    shown = {n: a for n, a in resources.items() if not any(part in n for part in hidden)}
    return "{" + ", ".join(f"{name}: {amount:g}" for name, amount in sorted(shown.items())) + "}"


def rank_order(nodes: Sequence[str]) -> list[int]:
    """Positions sorted so that workers of one node are neighbours; nodes keep their first order."""
    first = {node: place for place, node in reversed(list(enumerate(nodes)))}
    return sorted(range(len(nodes)), key=lambda position: (first[nodes[position]], position))


def threads_per_worker(cores: int, workers_on_node: int) -> int:
    """Workers of one node share its cores evenly; more threads than cores only fight."""
    return max(1, cores // workers_on_node)
