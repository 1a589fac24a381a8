"""Ray actors of one worker class: started in reserved places, met when they answer, ended."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raylm.core.errors import WorkerError
from raylm.runtime.failure import death_reason
from raylm.runtime.resources import Placement, describe
from raylm.runtime.worker import CONTROL, CONTROL_THREADS, Member, Worker

START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Place:
    """A bundle that Ray keeps free for one worker, whoever is in it."""

    group: PlacementGroup
    index: int


@dataclass(frozen=True, slots=True)
class Hand:
    """A worker that has answered."""

    actor: Any
    member: Member
    place: Place


class Crew:
    def __init__(
        self,
        worker: type[Worker],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        placement: Placement,
    ) -> None:
        options: dict[str, Any] = {"concurrency_groups": {CONTROL: CONTROL_THREADS}}
        self._remote = ray.remote(**options)(worker)
        self._args, self._kwargs, self._placement = args, kwargs, placement
        self._groups: list[PlacementGroup] = []
        self._free: list[Place] = []
        self._starting: dict[Any, tuple[Any, Place]] = {}  # answer -> actor, its place
        self._hands: list[Hand] = []
        self.failed_starts = 0
        self.last_failure = ""
        self._failed_at = 0

    @property
    def starting(self) -> int:
        return len(self._starting)

    def reserve(self) -> None:
        """Places for all. Raises WorkerError where the cluster has no room for them."""
        total = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if self._placement.shortage(total):
            raise WorkerError(
                f"asked for {self._placement.describe()}, but the cluster has {describe(total)}; "
                "ask for less or add nodes"
            )
        group = self._reserve(self._placement)
        if not group.wait(START_TIMEOUT_S):
            free = ray.available_resources()  # type: ignore[no-untyped-call]
            raise WorkerError(
                f"no room for {self._placement.describe()} within {START_TIMEOUT_S:g} s: "
                f"free are {describe(free)} of {describe(total)}"
            )

    def start(self, count: int) -> None:
        """Ask for workers; `arrivals` meets them when they answer."""
        for _ in range(count):
            if not self._free:
                self._reserve(self._placement.of_one)
            place = self._free.pop(0)
            resources = dict(self._placement.resources)
            actor: Any = self._remote.options(
                num_cpus=resources.pop("CPU", 0),
                num_gpus=resources.pop("GPU", 0),
                resources=resources,
                scheduling_strategy=PlacementGroupSchedulingStrategy(place.group, place.index),
            ).remote(*self._args, **self._kwargs)
            self._starting[actor.identify.remote()] = actor, place

    def arrivals(self, timeout_s: float = 0.0) -> list[Hand]:
        """Those that have answered since the last call; waits for all that start, or so long."""
        deadline = time.monotonic() + timeout_s
        arrived: list[Hand] = []
        while self._starting:
            left = max(0.0, deadline - time.monotonic())
            answered, _ = ray.wait(list(self._starting), num_returns=1, timeout=left)
            if not answered:
                break
            actor, place = self._starting.pop(answered[0])
            try:
                arrived.append(Hand(actor, ray.get(answered[0]), place))
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

    def end(self, hand: Hand) -> None:
        self._hands.remove(hand)
        self._free.append(hand.place)
        with suppress(RayError):
            ray.kill(hand.actor)
        is_here = hand.member.node == ray.get_runtime_context().get_node_id()
        if is_here:  # a process that is stopped does not hear Ray
            with suppress(ProcessLookupError):
                os.kill(hand.member.pid, signal.SIGKILL)

    def close(self) -> None:
        for actor in [hand.actor for hand in self._hands] + [a for a, _ in self._starting.values()]:
            ray.kill(actor)
        for group in self._groups:
            remove_placement_group(group)
        self._hands, self._starting, self._groups, self._free = [], {}, [], []

    def _reserve(self, placement: Placement) -> PlacementGroup:
        group: PlacementGroup = placement_group(placement.bundles, strategy=placement.strategy)
        self._groups.append(group)
        self._free += [Place(group, index) for index in range(placement.size)]
        return group
