"""Ray actors of one worker class: started in reserved places, met when they answer, ended."""

import os
import secrets
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import (
    NodeAffinitySchedulingStrategy,
    PlacementGroupSchedulingStrategy,
)

from raylm.core.errors import WorkerError
from raylm.runtime import places
from raylm.runtime.calls import Calls, RayCalls
from raylm.runtime.failure import death_reason
from raylm.runtime.ledger import Record
from raylm.runtime.owner import myself
from raylm.runtime.places import Places, key_of
from raylm.runtime.resources import Placement
from raylm.runtime.worker import CONTROL, CONTROL_THREADS, NAMESPACE, Member, Worker

START_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """A worker that has answered. `name`: Ray's, where the crew outlives its driver."""

    actor: Any
    member: Member
    place: PlacementGroup
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Start:
    number: int
    actor: Any
    place: PlacementGroup
    name: str


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
        self.places = Places(placement, is_lasting=name is not None)
        self._starting: dict[Any, _Start] = {}  # by the answer to come
        self._started = 0
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
    def taken(self) -> dict[str, str]:
        """The places' keys, by the names of those that have one."""
        taken = {hand.name: hand.place for hand in self._hands}
        taken |= {start.name: start.place for start in self._starting.values()}
        return {name: key_of(place) for name, place in taken.items() if name}

    @property
    def free(self) -> tuple[str, ...]:
        """The keys of places in which nobody is."""
        return tuple(key_of(place) for place in self.places.free)

    def start(self, count: int, *, is_late: bool = False) -> None:
        """Ask for workers; `arrivals` meets them when they answer: at once, or where they come to
        a group that is at work when they are warm."""
        for _ in range(count):
            place, name = self.places.take(), self._new_name()
            resources = dict(self._placement.resources)
            actor: Any = self._remote.options(
                num_cpus=resources.pop("CPU", 0),
                num_gpus=resources.pop("GPU", 0),
                resources=resources,
                scheduling_strategy=PlacementGroupSchedulingStrategy(place),
                **_lasting(name),
            ).remote(*self._args, **self._kwargs)
            answer = actor.get_ready.remote() if is_late else actor.identify.remote()
            self._meet(answer, actor, place, name)

    def cancel(self, count: int) -> None:
        """Do not wait for so many of those that start."""
        for answer in list(self._starting)[-count:]:
            start = self._starting.pop(answer)
            ray.kill(start.actor)
            self.places.give_up(start.place)

    def adopt(self, record: Record) -> None:
        """Workers that somebody else has started: those that live arrive as new ones do."""
        self.places.free += [self.places.adopt(key) for key in record.free]
        for name, key in record.taken.items():
            place = self.places.adopt(key)
            try:
                actor: Any = ray.get_actor(name, NAMESPACE)
            except ValueError:  # it is dead
                self.places.put_back(place)
            else:
                self._meet(actor.identify.remote(), actor, place, name)

    def arrivals(self, timeout_s: float = 0.0) -> list[Hand]:
        """Those that have answered since the last call; waits for all that start, or so long."""
        deadline = time.monotonic() + timeout_s
        arrived: list[Hand] = []
        while self._starting:
            left = max(0.0, deadline - time.monotonic())
            answered, _ = ray.wait(list(self._starting), num_returns=1, timeout=left)
            if not answered:
                break
            start = self._starting.pop(answered[0])
            try:
                member = ray.get(answered[0])
            except RayError as error:
                self.places.put_back(start.place)
                self.failed_starts += 1
                self.last_failure = death_reason(str(error))
                self._failed_at = start.number
            else:
                arrived.append(Hand(start.actor, member, start.place, start.name))
                self.failed_starts = 0
        self._hands += arrived
        return arrived

    def why_not_started(self) -> WorkerError:
        if self.failed_starts:
            return WorkerError(f"worker {self._failed_at} did not start: {self.last_failure}")
        return WorkerError(
            f"{self.starting} of {self._placement.size} workers have not answered within "
            f"{START_TIMEOUT_S:g} s ({self.places.room()}); see their logs in Ray's session"
        )

    def end(self, hand: Hand, *, is_replaced: bool = False) -> None:
        """For certain: a process that is stopped does not hear Ray. Its place is kept for who
        replaces it."""
        self._hands.remove(hand)
        with suppress(RayError):
            ray.kill(hand.actor)
        if hand.member.node == ray.get_runtime_context().get_node_id():
            _kill(hand.member.pid)
        else:
            there = NodeAffinitySchedulingStrategy(hand.member.node, soft=False)
            ray.remote(_kill).options(num_cpus=0, scheduling_strategy=there).remote(hand.member.pid)
        if is_replaced:
            self.places.put_back(hand.place)
        else:
            self.places.give_up(hand.place)

    def close(self) -> None:
        started: list[Hand | _Start] = [*self._hands, *self._starting.values()]
        for worker in started:
            ray.kill(worker.actor)
        self.places.close()
        self._hands, self._starting = [], {}

    def _meet(self, answer: Any, actor: Any, place: PlacementGroup, name: str) -> None:
        if name and self._owner is not None:
            actor.stay_with.remote(self._owner)
        self._starting[answer] = _Start(self._started, actor, place, name)
        self._started += 1

    def _new_name(self) -> str:
        return f"{self._name}/worker-{secrets.token_hex(4)}" if self._name else ""


def end_workers(record: Record) -> None:
    """Those of a crew that nobody has any more, and their places."""
    for name in record.taken:
        with suppress(ValueError):  # it is dead already
            ray.kill(ray.get_actor(name, NAMESPACE))
    places.remove((*record.taken.values(), *record.free))


def _lasting(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "lifetime": "detached"} if name else {}


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
