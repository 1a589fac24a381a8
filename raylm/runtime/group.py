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

from raylm.core.errors import RayLMError, UsageError, WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.controller import Controller, OnEvent
from raylm.runtime.crew import START_TIMEOUT_S, Crew
from raylm.runtime.ranks import Ranks, RanksFailedError
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.resources import Placement
from raylm.runtime.session import node_address, ray_session
from raylm.runtime.worker import Member, Worker


def _ignore(name: str, **fields: Any) -> None: ...


class WorkerGroup:
    """`args` and `kwargs` go to the worker class; `resources` is what each worker takes.

    `timeout_s` bounds every collective: a peer that hangs is given up after that long.
    `on_event(name, **fields)` is told who is lost, joins and leaves, in the terms of events.jsonl.
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
        elastic: Elastic | None = None,
        on_event: OnEvent = _ignore,
    ) -> None:
        if not issubclass(worker, Worker):
            raise UsageError(f"{worker.__name__} must derive from raylm.Worker")
        if size < 1:
            raise UsageError(f"a worker group of size {size}; it must be >= 1")
        self._elastic = elastic
        self._require_within(size)
        self._worker, self._args, self._kwargs = worker, tuple(args), dict(kwargs or {})
        self._placement = Placement(size, dict(resources or {"CPU": 1}), strategy)
        self._timeout_s, self._on_event = timeout_s, on_event
        self._controller: Controller | None = None
        self._broken: WorkerError | None = None
        self._cleanup = ExitStack()

    @property
    def size(self) -> int:
        """How many workers there are at the moment."""
        return self._placement.size if self._controller is None else len(self._controller.ranks)

    @property
    def is_elastic(self) -> bool:
        return self._elastic is not None

    @property
    def epoch(self) -> int:
        """Counts the memberships: a new one begins when workers come or go."""
        return self._ranks().epoch

    @property
    def members(self) -> tuple[Member, ...]:
        return tuple(self._ranks().members)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(ray_session(cpus=self._placement.size))
            crew = Crew(self._worker, self._args, self._kwargs, self._placement)
            stack.callback(crew.close)
            crew.reserve()
            crew.start(self._placement.size)
            hands = crew.arrivals(START_TIMEOUT_S)
            if len(hands) < self._placement.size:
                raise crew.why_not_started()
            stack.callback(self._forget)
            self._controller = Controller(
                crew,
                Rendezvous(node_address(), self._timeout_s),
                self._placement.size,
                self._elastic or Elastic(),
                self._on_event,
            )
            with self._breaking():
                self._controller.start(hands)
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
        """Run a method on every rank; the results in rank order.

        An elastic group that has made its first step runs it again where a worker dies in it.
        """
        ranks = self._ranks()
        if self._controller is not None and self._controller.is_held:
            with self._breaking():
                return self._controller.call(method, *args, **kwargs)
        return self._gather(ranks.submit_all(method, *args, **kwargs))

    def scatter(self, method: str, parts: Sequence[Any]) -> list[Any]:
        """Like `call`, with part r as the argument of rank r."""
        ranks = self._ranks()
        if len(parts) != len(ranks):
            raise UsageError(f"{len(parts)} parts for {len(ranks)} workers of {method!r}")
        return self._gather([ranks.submit(r, method, part) for r, part in enumerate(parts)])

    def rank_zero(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._gather([self._ranks().submit(0, method, *args, **kwargs)])[0]

    def step(self, indices: Any) -> list[Any]:
        """The workers' `step(indices)` on every rank, in rank order, done once whoever dies in it.

        Lost workers are replaced, and new ones let in, between steps. Raises what a worker's own
        step raises, and WorkerError where fewer than `elastic.min` are left and none comes.
        """
        controller = self._elastically()
        with self._breaking():
            return controller.step(indices)

    def resize(self, size: int) -> None:
        """Go on with so many workers, from now on; returns when they are at work.

        Raises UsageError outside of `elastic.min` and `elastic.max`.
        """
        controller = self._elastically()
        self._require_within(size)
        with self._breaking():
            controller.resize(size)

    def _elastically(self) -> Controller:
        self._ranks()
        if self._elastic is None or self._controller is None:
            raise UsageError("the group is not elastic; give it elastic=raylm.Elastic()")
        return self._controller

    def _require_within(self, size: int) -> None:
        try:
            (self._elastic or Elastic()).require(size)
        except ValueError as error:
            raise UsageError(str(error)) from None

    def _ranks(self) -> Ranks:
        if self._broken is not None:
            raise WorkerError(
                f"the group is broken: {self._broken}; start a new one",
                rank=self._broken.rank,
                pid=self._broken.pid,
                reason=self._broken.reason,
            )
        if self._controller is None:
            raise UsageError("the group has no workers; use it inside its `with` block")
        return self._controller.ranks

    def _gather(self, refs: Sequence[Any]) -> list[Any]:
        with self._breaking():
            return self._ranks().gather(refs)

    @contextmanager
    def _breaking(self) -> Iterator[None]:
        """What the controller does not recover from is the end of the group."""
        assert self._controller is not None
        try:
            yield
        except RanksFailedError as failed:
            error = failed.culprit.to_error()
            self._break(error)
            self._controller.ranks.tell_to_leave()
            raise error from failed.cause
        except RayLMError as error:
            self._break(error)
            raise

    def _break(self, error: RayLMError) -> None:
        self._broken = error if isinstance(error, WorkerError) else WorkerError(str(error))

    def _forget(self) -> None:
        self._controller = None
