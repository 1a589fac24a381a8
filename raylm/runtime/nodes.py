"""The cluster's nodes: which have come since somebody looked, and which will be gone soon."""

import time
from collections import Counter
from collections.abc import Mapping

import ray
from ray._private.state import state  # there is no public way to see a drain

_LOOK_S = 2.0


class Nodes:
    """`draining`: ids of those that Ray has been asked to empty, or that are about to be taken."""

    def __init__(self) -> None:
        self.draining: frozenset[str] = frozenset()
        self._known = frozenset(_alive())
        self._looked = time.monotonic()

    def added(self) -> Mapping[str, float]:
        """Resources of nodes that have joined since the last look."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return {}
        self._looked = now
        self.draining = frozenset(state.get_draining_nodes())
        alive = _alive()
        new = [resources for node, resources in alive.items() if node not in self._known]
        self._known |= alive.keys()
        return sum((Counter(resources) for resources in new), Counter())


def _alive() -> dict[str, dict[str, float]]:
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}
