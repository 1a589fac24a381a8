"""The cluster's nodes: which have come since somebody looked."""

import time
from collections import Counter
from collections.abc import Mapping

import ray

_LOOK_S = 2.0


class Nodes:
    def __init__(self) -> None:
        self._known = frozenset(_alive())
        self._looked = time.monotonic()

    def added(self) -> Mapping[str, float]:
        """Resources of nodes that have joined since the last look."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return {}
        self._looked = now
        alive = _alive()
        new = [resources for node, resources in alive.items() if node not in self._known]
        self._known |= alive.keys()
        return sum((Counter(resources) for resources in new), Counter())


def _alive() -> dict[str, dict[str, float]]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}
