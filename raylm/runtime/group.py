"""WorkerGroup: Ray actors that form one torch.distributed group and are called as one.

    with raylm.WorkerGroup(MyWorker, size=4) as group:
        losses = group.call("step", 0.1)

A worker that dies or fails raises WorkerError in the driver with rank, pid and reason; its
peers are told to leave, so that none hangs in a collective.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, NoReturn, Self

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from raylm.core.errors import UsageError, WorkerError
from raylm.runtime.failure import Cause, Failure, blame, cause_of, death_reason
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.resources import Placement, describe, rank_order
from raylm.runtime.session import node_address, ray_session
from raylm.runtime.worker import CONTROL, CONTROL_THREADS, Member, Worker

START_TIMEOUT_S = 120.0
BLAME_S = 3.0  # how long the other ranks get to show what really happened


class WorkerGroup:
    """`args` and `kwargs` go to the worker class; `resources` is what each worker takes.

    `timeout_s` bounds every collective: a peer that hangs is given up after that long.
    Raises WorkerError when the workers do not start or the cluster has no room for them.
    """

    def __init__(
        self,
        worker: type[Worker],
        size: int,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        resources: Mapping[str, float] | None = None,
        strategy: str = "PACK",
        timeout_s: float = 120.0,
    ) -> None:
        if not issubclass(worker, Worker):
            raise UsageError(f"{worker.__name__} must derive from raylm.Worker")
        if size < 1:
            raise UsageError(f"a worker group of size {size}; it must be >= 1")
        self.size = size
        self.members: tuple[Member, ...] = ()
        self._worker, self._args, self._kwargs = worker, tuple(args), dict(kwargs or {})
        self._placement = Placement(size, dict(resources or {"CPU": 1}), strategy)
        self._timeout_s = timeout_s
        self._actors: list[Any] = []
        self._broken: WorkerError | None = None
        self._cleanup = ExitStack()

    @property
    def epoch(self) -> int:
        return self._rendezvous.epoch

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(ray_session(cpus=self.size))
            bundles = _reserve(self._placement)
            stack.callback(remove_placement_group, bundles)
            stack.callback(self._kill)
            self._launch(bundles)
            self._form()
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every worker and give its resources back."""
        self._cleanup.close()

    def call(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Run a method on every rank; the results in rank order."""
        return self._gather([self._submit(a, method, args, kwargs) for a in self._living()])

    def scatter(self, method: str, parts: Sequence[Any]) -> list[Any]:
        """Like `call`, with part r as the argument of rank r."""
        if len(parts) != self.size:
            raise UsageError(f"{len(parts)} parts for {self.size} workers of {method!r}")
        pairs = zip(self._living(), parts, strict=True)
        return self._gather([self._submit(a, method, (part,), {}) for a, part in pairs])

    def rank_zero(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._gather([self._submit(self._living()[0], method, args, kwargs)])[0]

    def _launch(self, bundles: PlacementGroup) -> None:
        options_of_all: dict[str, Any] = {"concurrency_groups": {CONTROL: CONTROL_THREADS}}
        remote = ray.remote(**options_of_all)(self._worker)
        resources = dict(self._placement.resources)
        for index in range(self.size):
            options = remote.options(
                num_cpus=resources.get("CPU", 0),
                num_gpus=resources.get("GPU", 0),
                resources={n: a for n, a in resources.items() if n not in ("CPU", "GPU")},
                scheduling_strategy=PlacementGroupSchedulingStrategy(bundles, index),
            )
            self._actors.append(options.remote(*self._args, **self._kwargs))
        found = self._gather([actor.identify.remote() for actor in self._actors], START_TIMEOUT_S)
        order = rank_order([member.node for member in found])
        self._actors = [self._actors[place] for place in order]
        self.members = tuple(replace(found[p], rank=rank) for rank, p in enumerate(order))

    def _form(self) -> None:
        self._rendezvous = Rendezvous(node_address(), self._timeout_s)
        on_node = Counter(member.node for member in self.members)
        invitations = self._rendezvous.next_epoch([on_node[m.node] for m in self.members])
        pairs = zip(self._actors, invitations, strict=True)
        self._gather([self._submit(a, "join_group", (inv,), {}) for a, inv in pairs])

    def _submit(
        self, actor: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return actor.invoke.remote(method, args, kwargs)

    def _living(self) -> list[Any]:
        if self._broken is not None:
            raise WorkerError(
                f"the group is broken: {self._broken}; start a new one",
                rank=self._broken.rank,
                pid=self._broken.pid,
                reason=self._broken.reason,
            )
        if not self._actors:
            raise UsageError("the group has no workers; use it inside its `with` block")
        return self._actors

    def _gather(self, refs: Sequence[Any], timeout_s: float | None = None) -> list[Any]:
        """Results in order, or the error of the rank to blame as soon as one has failed."""
        pending = list(refs)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while pending:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            done, pending = ray.wait(pending, timeout=left)
            error = _error_of(done[0]) if done else None
            if error is not None or not done:
                self._give_up(refs, BLAME_S if isinstance(error, RayTaskError) else 0.0)
        return list(ray.get(list(refs)))

    def _give_up(self, refs: Sequence[Any], patience_s: float) -> NoReturn:
        """Raise for the rank to blame; whoever is told of a lost peer may not be the one."""
        ray.wait(list(refs), num_returns=len(refs), timeout=patience_s)
        failures = [f for rank, ref in enumerate(refs) if (f := self._failure(rank, ref))]
        culprit = blame(failures)
        error = culprit.to_error()
        self._broken = error if isinstance(error, WorkerError) else WorkerError(str(error))
        for actor in self._actors:
            actor.leave_group.remote()
        raise error from _error_of(refs[culprit.rank])  # which has the worker's traceback

    def _failure(self, rank: int, ref: Any) -> Failure | None:
        pid = self.members[rank].pid if self.members else 0
        error = _error_of(ref)
        match error:
            case None:
                return None
            case GetTimeoutError():
                return Failure(rank, pid, Cause.HUNG, "no answer; see its log in Ray's session")
            case RayTaskError():
                reason = f"{type(error.cause).__name__}: {error.cause}"
                return Failure(rank, pid, cause_of(error.cause), reason, error.cause)
            case RayActorError():
                return Failure(rank, pid, Cause.DIED, death_reason(str(error)), error)
            case _:
                return Failure(rank, pid, Cause.RAISED, str(error), error)

    def _kill(self) -> None:
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []


def _error_of(ref: Any) -> RayError | None:
    """GetTimeoutError stands for a call that has not returned."""
    try:
        ray.get(ref, timeout=0)
    except RayError as error:
        return error
    return None


def _reserve(placement: Placement) -> PlacementGroup:
    total = ray.cluster_resources()  # type: ignore[no-untyped-call]
    if placement.shortage(total):
        raise WorkerError(
            f"asked for {placement.describe()}, but the cluster has {describe(total)}; "
            "ask for less or add nodes"
        )
    bundles: PlacementGroup = placement_group(placement.bundles, strategy=placement.strategy)
    if not bundles.wait(START_TIMEOUT_S):
        free = ray.available_resources()  # type: ignore[no-untyped-call]
        remove_placement_group(bundles)
        raise WorkerError(
            f"no room for {placement.describe()} within {START_TIMEOUT_S:g} s: "
            f"free are {describe(free)} of {describe(total)}"
        )
    return bundles
