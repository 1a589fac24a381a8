"""WorkerGroup: Ray actors that form one torch.distributed group and are called as one.

    with raylm.WorkerGroup(MyWorker, size=4) as group:
        losses = group.call("step", 0.1)

A worker that dies or fails raises WorkerError in the driver with rank, pid and reason; its
peers are told to leave, so that none hangs in a collective. With `elastic`, `group.step` goes
on instead:

    with raylm.WorkerGroup(MyWorker, size=4, elastic=raylm.Elastic(min=2, max=8)) as group:
        results = group.step(range(0, 32))
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, Self

from raylm.core.errors import PoisonedStepError, RayLMError, UsageError, WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.controller import Controller
from raylm.runtime.crew import START_TIMEOUT_S, Crew, end_workers
from raylm.runtime.ledger import Ledger
from raylm.runtime.membership import Membership, OnEvent
from raylm.runtime.nodes import Nodes
from raylm.runtime.ranks import Ranks, RanksFailedError
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.resources import Placement
from raylm.runtime.session import node_address, ray_session
from raylm.runtime.worker import Member, Worker


def _ignore(name: str, **fields: Any) -> None: ...


class WorkerGroup:
    """`args` and `kwargs` go to the worker class; `resources` is what each worker takes.

    `timeout_s` bounds every collective: a peer that hangs is given up after that long.
    `heartbeat_s`: who does not answer at all for so long fails the call that is under way; None:
    only in an elastic group, by its `elastic.heartbeat_s`.
    `on_event(name, **fields)` is told who is lost, joins and leaves, in the terms of events.jsonl.
    With a `name` an elastic group outlives its driver: whoever makes it again, with the same
    name, finds its workers where they are (`is_adopted`), until somebody closes it.
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
        heartbeat_s: float | None = None,
        elastic: Elastic | None = None,
        on_event: OnEvent = _ignore,
        name: str | None = None,
    ) -> None:
        if not issubclass(worker, Worker):
            raise UsageError(f"{worker.__name__} must derive from raylm.Worker")
        if size < 1:
            raise UsageError(f"a worker group of size {size}; it must be >= 1")
        if name is not None and elastic is None:
            raise UsageError(f"a group named {name!r} must be elastic; give it raylm.Elastic()")
        self._elastic, self._name = elastic, name
        self._require_within(size)
        self._worker, self._args, self._kwargs = worker, tuple(args), dict(kwargs or {})
        self._placement = Placement(size, dict(resources or {"CPU": 1}), strategy)
        self._timeout_s, self._heartbeat_s, self._on_event = timeout_s, heartbeat_s, on_event
        self._controller: Controller | None = None
        self._broken: RayLMError | None = None
        self.is_adopted = False
        self._cleanup = ExitStack()

    @property
    def size(self) -> int:
        """How many workers there are at the moment."""
        return self._placement.size if self._controller is None else len(self._controller.members)

    @property
    def target(self) -> int:
        """How many there shall be."""
        return self._placement.size if self._controller is None else self._controller.target

    @property
    def is_elastic(self) -> bool:
        return self._elastic is not None

    @property
    def epoch(self) -> int:
        """Counts the memberships: a new one begins when workers come or go."""
        return self._usable().epoch

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._usable().members)

    def __enter__(self) -> Self:
        elastic, size = self._elastic or Elastic(), self._placement.size
        with ExitStack() as stack:
            stack.enter_context(ray_session(cpus=size))
            ledger = None if self._name is None else Ledger(self._name)
            crew = Crew(self._worker, self._args, self._kwargs, self._placement, self._name)
            rendezvous = Rendezvous(node_address(), self._timeout_s)
            heartbeat_s = self._heartbeat_s or elastic.heartbeat_s
            members = Membership(crew, rendezvous, heartbeat_s, self._on_event, ledger)
            stack.callback(members.close)
            stack.callback(self._forget)
            self._controller = Controller(crew, members, Nodes(), size, elastic, self._on_event)
            record = None if ledger is None else ledger.read()
            if record is not None and not record.taken:  # its leader died before it had workers
                end_workers(record)
                record = None
            with self._breaking():
                if record is not None:
                    self._controller.adopt(record)
                    self.is_adopted = True
                else:
                    self._start(crew, members)
            self._cleanup = stack.pop_all()
        return self

    def _start(self, crew: Crew, members: Membership) -> None:
        size = self._placement.size
        crew.places.reserve(START_TIMEOUT_S)
        members.remember(size)
        members.start(size, size)
        members.meet(START_TIMEOUT_S)
        if len(members.ready) < self._placement.size:
            raise crew.why_not_started()
        assert self._controller is not None
        self._controller.start()

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
        """Run a method on every rank; the results in rank order.

        An elastic group that has made its first step runs it again where a worker dies in it.
        """
        controller = self._usable()
        if controller.is_held:
            with self._breaking():
                return controller.call(method, *args, **kwargs)
        return self._gather(controller.ranks.submit_all(method, *args, **kwargs))

    def scatter(self, method: str, parts: Sequence[Any]) -> list[Any]:
        """Like `call`, with part r as the argument of rank r."""
        ranks = self._ranks()
        if len(parts) != len(ranks):
            raise UsageError(f"{len(parts)} parts for {len(ranks)} workers of {method!r}")
        return self._gather([ranks.submit(r, method, part) for r, part in enumerate(parts)])

    def rank_zero(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._gather([self._ranks().submit(0, method, *args, **kwargs)])[0]

    def step(self, indices: Any, *, victims: Sequence[tuple[int, int]] = ()) -> list[Any]:
        """The workers' `step(indices)` on every rank, in rank order, done once whoever dies in it.

        `victims`: of a StateLostError of a former group, in which this step was the last.
        Lost workers are replaced, and new ones let in, between steps. Raises what a worker's own
        step raises; WorkerError where fewer than `elastic.min` are left and those that are started
        die; StateLostError where more have died at once than there are replicas; PoisonedStepError
        where the step has killed who did it three times: another one may be done in its place.
        """
        controller = self._elastically()
        with self._breaking():
            return controller.step(indices, victims)

    def last_results(self) -> list[Any]:
        """Of the last step, by rank: a group that was adopted has done one nobody heard of."""
        with self._breaking():
            return self._elastically().last_results()

    def resize(self, size: int, *, wait: bool = True) -> None:
        """Go on with so many workers; returns when they are at work, or at once: then steps go on
        with those there are until others are ready.

        Raises UsageError outside of `elastic.min` and `elastic.max`, WorkerError where the
        cluster has no room for them.
        """
        controller = self._elastically()
        self._require_within(size)
        with self._breaking():
            controller.resize(size, wait=wait)

    def _elastically(self) -> Controller:
        controller = self._usable()
        if self._elastic is None:
            raise UsageError("the group is not elastic; give it elastic=raylm.Elastic()")
        return controller

    def _require_within(self, size: int) -> None:
        try:
            (self._elastic or Elastic()).require(size)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def _ranks(self) -> Ranks:
        return self._usable().ranks

    def _usable(self) -> Controller:
        if self._broken is not None:
            who = self._broken if isinstance(self._broken, WorkerError) else WorkerError("")
            raise WorkerError(
                f"the group is broken: {self._broken}; start a new one",
                rank=who.rank,
                pid=who.pid,
                reason=who.reason,
            )
        if self._controller is None:
            raise UsageError("the group has no workers; use it inside its `with` block")
        return self._controller

    def _gather(self, refs: Sequence[Any]) -> list[Any]:
        controller = self._usable()
        gather = controller.ranks.gather if self._heartbeat_s is None else controller.gather
        with self._breaking():
            return gather(refs)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """What the controller does not recover from is the end of the group."""
        controller = self._controller  # the group may be closed meanwhile, on another thread
        assert controller is not None
        try:
            yield
        except RanksFailedError as failed:
            self._broken = failed.culprit.to_error()
            controller.ranks.tell_to_leave()
            raise self._broken from failed.cause
        except PoisonedStepError:
            raise
        except RayLMError as error:
            self._broken = error
            raise

    def _forget(self) -> None:
        self._controller = None


def end_group(name: str) -> None:
    """End the workers of a named group that nobody leads any more, if there are any."""
    ledger = Ledger(name)
    if (record := ledger.read()) is not None:
        end_workers(record)
        ledger.erase()
