"""Room in the cluster that Ray keeps free for one worker each.

Every place is a placement group of its own, given up when its node dies: Ray 2.60 seeks new room
for a part of a larger one without a pause, which takes a core (ray-project/ray#65007).
"""

import time
from collections.abc import Collection

import ray
from ray import PlacementGroupID
from ray.util.placement_group import (
    PlacementGroup,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from raylm.core.errors import WorkerError
from raylm.runtime.resources import Placement, describe

_NODE = "ray.io/node-id"  # the label that Ray gives every node


class Places:
    """`is_lasting`: they stay reserved when whoever has reserved them dies."""

    def __init__(self, placement: Placement, *, is_lasting: bool) -> None:
        self.free: list[PlacementGroup] = []
        self._placement = placement
        self._lifetime = "detached" if is_lasting else None
        self._all: dict[str, PlacementGroup] = {}

    def reserve(self, timeout_s: float) -> None:
        """Places for the whole placement, all or none. Raises WorkerError where the cluster has no
        room for them."""
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if self._placement.shortage(total):
            raise WorkerError(
                f"asked for {self._placement.describe()}, but the cluster has {describe(total)}; "
                "ask for less or add nodes"
            )
        deadline = time.monotonic() + timeout_s
        places = [self._new(node) for node in self._lay_out(timeout_s)]
        # Between the two, somebody else may have taken the room.
        if not all(place.wait(max(0.0, deadline - time.monotonic())) for place in places):
            for place in places:
                self.give_up(place)
            raise self.no_room(timeout_s)
        self.free += places

    def take(self) -> PlacementGroup:
        """A free one, or one that Ray shall find."""
        return self.free.pop(0) if self.free else self._new()

    def put_back(self, place: PlacementGroup) -> None:
        """For another worker, unless the place has died with its node."""
        if placement_group_table(place)["state"] == "CREATED":
            self.free.append(place)
        else:
            self.give_up(place)

    def give_up(self, place: PlacementGroup) -> None:
        del self._all[key_of(place)]
        remove_placement_group(place)

    def adopt(self, key: str) -> PlacementGroup:
        """A place that somebody else has reserved."""
        self._all[key] = _place(key)
        return self._all[key]

    def close(self) -> None:
        remove(self._all)
        self._all, self.free = {}, []

    def no_room(self, waited_s: float, size: int | None = None) -> WorkerError:
        asked = self._placement.of(size or self._placement.size).describe()
        return WorkerError(
            f"no room for {asked} within {waited_s:g} s: {self.room()}; ask for fewer or add nodes"
        )

    def room(self) -> str:
        """What the cluster has."""
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free = ray.available_resources()  # type: ignore[no-untyped-call]
        return f"free are {describe(free)} of {describe(total)}"

    def _lay_out(self, timeout_s: float) -> list[str]:
        """Nodes with room for all at once, as Ray lays them out."""
        together = placement_group(self._placement.bundles, strategy=self._placement.strategy)
        try:
            if not together.wait(timeout_s):
                raise self.no_room(timeout_s)
            return list(placement_group_table(together)["bundles_to_node_id"].values())
        finally:
            remove_placement_group(together)

    def _new(self, node: str | None = None) -> PlacementGroup:
        place: PlacementGroup = placement_group(
            [dict(self._placement.resources)],
            lifetime=self._lifetime,
            bundle_label_selector=[{_NODE: node}] if node else None,
        )
        self._all[key_of(place)] = place
        return place


def key_of(place: PlacementGroup) -> str:
    return str(place.id.hex())


def remove(keys: Collection[str]) -> None:
    for key in keys:
        remove_placement_group(_place(key))


def _place(key: str) -> PlacementGroup:
    return PlacementGroup(PlacementGroupID(bytes.fromhex(key)))
