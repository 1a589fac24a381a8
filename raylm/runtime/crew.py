"""Ray actors of one worker class: started in reserved places, met when they answer, ended."""

import os
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray import PlacementGroupID
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from raylm.core.errors import WorkerError
from raylm.runtime.calls import Calls, RayCalls
from raylm.runtime.failure import death_reason
from raylm.runtime.ledger import Record
from raylm.runtime.owner import myself
from raylm.runtime.resources import Placement, describe
from raylm.runtime.worker import CONTROL, CONTROL_THREADS, NAMESPACE, Member, Worker

START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Place:
    """A bundle that Ray keeps free for one worker, whoever is in it."""

    group: PlacementGroup
    index: int

    @property
    def key(self) -> tuple[str, int]:
        return self.group.id.hex(), self.index

    @classmethod
    def of(cls, group: str, index: int) -> "Place":
        return cls(PlacementGroup(PlacementGroupID(bytes.fromhex(group))), index)


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """A worker that has answered. `name`: Ray's, where the crew outlives its driver."""

    actor: Any
    member: Member
    place: Place
    name: str = ""


class Crew:
    """With a `name` the workers are detached: they live on when whoever started them dies."""

    def __init__(
        self,
        worker: type[Worker],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        placement: Placement,
        name: str | None = None,
    ) -> None:
        options: dict[str, Any] = {"concurrency_groups": {CONTROL: CONTROL_THREADS}}
        self._remote = ray.remote(**options)(worker)
        self._args, self._kwargs, self._placement = args, kwargs, placement
        self._name, self._owner = name, myself()
        self.calls: Calls = RayCalls()
        self._groups: dict[str, PlacementGroup] = {}  # by id
        self._free: list[Place] = []
        self._starting: dict[Any, tuple[Any, Place, str]] = {}  # answer -> actor, place, name
        self._hands: list[Hand] = []
        self.failed_starts = 0
        self.last_failure = ""
        self._failed_at = 0

    @property
    def resources(self) -> Mapping[str, float]:
        """What each worker takes."""
        return self._placement.resources

    @property
    def starting(self) -> int:
        return len(self._starting)

    @property
    def places(self) -> dict[str, tuple[str, int]]:
        """Of all workers with a name."""
        taken = {hand.name: hand.place for hand in self._hands}
        taken |= {name: place for _, place, name in self._starting.values()}
        return {name: place.key for name, place in taken.items() if name}

    @property
    def free(self) -> tuple[tuple[str, int], ...]:
        """Places in which nobody is."""
        return tuple(place.key for place in self._free)

    def reserve(self) -> PlacementGroup:
        """Places for all, to wait for. Raises WorkerError where no cluster like this has them."""
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if self._placement.shortage(total):
            raise WorkerError(
                f"asked for {self._placement.describe()}, but the cluster has {describe(total)}; "
                "ask for less or add nodes"
            )
        return self._reserve(self._placement)

    def no_room(self, workers: int, waited_s: float) -> WorkerError:
        asked = replace(self._placement, size=workers).describe()
        return WorkerError(
            f"no room for {asked} within {waited_s:g} s: {self.room()}; ask for fewer or add nodes"
        )

    def room(self) -> str:
        """What the cluster has."""
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free = ray.available_resources()  # type: ignore[no-untyped-call]
        return f"free are {describe(free)} of {describe(total)}"

    def start(self, count: int) -> None:
        """Ask for workers; `arrivals` meets them when they answer."""
        for _ in range(count):
            if not self._free:
                self._reserve(self._placement.of_one)
            place = self._free.pop(0)
            name = self._new_name()
            resources = dict(self._placement.resources)
            actor: Any = self._remote.options(
                num_cpus=resources.pop("CPU", 0),
                num_gpus=resources.pop("GPU", 0),
                resources=resources,
                scheduling_strategy=PlacementGroupSchedulingStrategy(place.group, place.index),
                **_lasting(name),
            ).remote(*self._args, **self._kwargs)
            self._meet(actor, place, name)

    def cancel(self, count: int) -> None:
        """Do not wait for so many of those that start."""
        for answer in list(self._starting)[-count:]:
            actor, place, _ = self._starting.pop(answer)
            ray.kill(actor)
            self._free.append(place)

    def adopt(self, record: Record) -> None:
        """Workers that somebody else has started: those that live arrive as new ones do."""
        for key in record.free:
            place = Place.of(*key)
            self._groups[key[0]] = place.group
            self._free.append(place)
        for name, key in record.places.items():
            place = Place.of(*key)
            self._groups[key[0]] = place.group
            try:
                actor: Any = ray.get_actor(name, NAMESPACE)
            except ValueError:  # it is dead
                self._free.append(place)
            else:
                self._meet(actor, place, name)

    def arrivals(self, timeout_s: float = 0.0) -> list[Hand]:
        """Those that have answered since the last call; waits for all that start, or so long."""
        deadline = time.monotonic() + timeout_s
        arrived: list[Hand] = []
        while self._starting:
            left = max(0.0, deadline - time.monotonic())
            answered, _ = ray.wait(list(self._starting), num_returns=1, timeout=left)
            if not answered:
                break
            actor, place, name = self._starting.pop(answered[0])
            try:
                arrived.append(Hand(actor, ray.get(answered[0]), place, name))
                self.failed_starts = 0
            except RayError as error:
                self._free.append(place)
                self.failed_starts += 1
                self.last_failure = death_reason(str(error))
                self._failed_at = place.index
        self._hands += arrived
        return arrived

    def why_not_started(self) -> WorkerError:
        if self.failed_starts:
            return WorkerError(f"worker {self._failed_at} did not start: {self.last_failure}")
        return WorkerError(
            f"{self.starting} of {self._placement.size} workers have not answered within "
            f"{START_TIMEOUT_S:g} s; see their logs in Ray's session"
        )

    def end(self, hand: Hand, *, is_place_free: bool = True) -> None:
        """For certain: a process that is stopped does not hear Ray."""
        self._hands.remove(hand)
        if is_place_free:
            self._free.append(hand.place)
        with suppress(RayError):
            ray.kill(hand.actor)
        if hand.member.node == ray.get_runtime_context().get_node_id():
            _kill(hand.member.pid)
        else:
            there = NodeAffinitySchedulingStrategy(hand.member.node, soft=False)
            ray.remote(_kill).options(num_cpus=0, scheduling_strategy=there).remote(hand.member.pid)

    def close(self) -> None:
        for actor in [hand.actor for hand in self._hands] + [
            actor for actor, _, _ in self._starting.values()
        ]:
            ray.kill(actor)
        for group in self._groups.values():
            remove_placement_group(group)
        self._hands, self._starting, self._groups, self._free = [], {}, {}, []

    def _meet(self, actor: Any, place: Place, name: str) -> None:
        if name and self._owner is not None:
            actor.stay_with.remote(self._owner)
        self._starting[actor.identify.remote()] = actor, place, name

    def _reserve(self, placement: Placement) -> PlacementGroup:
        group: PlacementGroup = placement_group(
            placement.bundles,
            strategy=placement.strategy,
            lifetime="detached" if self._name else None,
        )
        self._groups[group.id.hex()] = group
        self._free += [Place(group, index) for index in range(placement.size)]
        return group

    def _new_name(self) -> str:
        return f"{self._name}/worker-{secrets.token_hex(4)}" if self._name else ""


def end_workers(record: Record) -> None:
    """Those of a crew that nobody has any more, and their places."""
    for name in record.places:
        with suppress(ValueError):  # it is dead already
            ray.kill(ray.get_actor(name, NAMESPACE))
    for group in record.groups:
        remove_placement_group(Place.of(group, 0).group)


def _lasting(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "lifetime": "detached"} if name else {}


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
