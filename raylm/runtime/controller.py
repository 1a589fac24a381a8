"""Keeps a group of workers at one step, whoever dies, comes or goes.

Every group belongs to an epoch. A failure ends the epoch: the lost are ended for certain, the
survivors leave, and with whoever is ready they form the next one, share out the newest
committed state and do again what had not been committed.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from raylm.core.errors import WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.crew import START_TIMEOUT_S, Crew, Hand
from raylm.runtime.failure import Cause
from raylm.runtime.health import Heartbeats
from raylm.runtime.phase import Phase, require
from raylm.runtime.policy import Await, Dismiss, GiveUp, Proceed, Status, decide, to_start
from raylm.runtime.ranks import Ranks, RanksFailedError
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.resources import rank_order

OnEvent = Callable[..., None]  # (name, **fields)
_TICK_S = 0.25
_LEAVE_S = 5.0  # a survivor that has not come out of its call by then is none
_MAX_IN_VAIN = 3
_REDONE = 3  # steps of which the plan is kept: the one asked for and those it may take again


class Controller:
    """`on_event` is told of every event, in the terms of events.jsonl."""

    def __init__(
        self, crew: Crew, rendezvous: Rendezvous, target: int, elastic: Elastic, on_event: OnEvent
    ) -> None:
        self.target = target
        self.phase = Phase.STARTING
        self._crew, self._rendezvous, self._elastic = crew, rendezvous, elastic
        self._tell = on_event
        self._living: tuple[Hand, ...] = ()
        self._ready: list[Hand] = []
        self._ranks: Ranks | None = None
        self._heartbeats = Heartbeats((), elastic.heartbeat_s)
        self.is_held = False
        self._plans: dict[int, Any] = {}
        self._number = self._done = 0  # the step asked for, and the last one that is done
        self._lost_at: float | None = None
        self._in_vain = 0  # failures in a row in which nobody was lost

    @property
    def ranks(self) -> Ranks:
        assert self._ranks is not None
        return self._ranks

    def start(self, hands: Sequence[Hand]) -> None:
        """The first epoch. Raises RanksFailedError."""
        self._form(hands)

    def step(self, indices: Any) -> list[Any]:
        """The next step, done by every rank; results by rank. It counts once, whoever dies in it.

        Raises the worker's error where it is to blame, WorkerError where too few are left.
        """
        self._number += 1
        self._plans = {n: plan for n, plan in self._plans.items() if n > self._number - _REDONE}
        self._plans[self._number] = indices
        return self._persist(lambda: self._catch_up() or self._results_of_last())

    def call(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """A method on every rank after the last step; from the start again if one dies in it."""

        def attempt() -> list[Any]:
            self._catch_up()
            return self._gather(self.ranks.submit_all(method, *args, **kwargs))

        return self._persist(attempt)

    def resize(self, target: int) -> None:
        """Returns when `target` workers are at work, or START_TIMEOUT_S have passed."""
        self.target = target
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(self._living) != target and time.monotonic() < deadline:
            try:
                self._ready += self._crew.arrivals(_TICK_S)
                self._rearrange()
            except RanksFailedError as failed:
                self._lose(failed)

    def _persist(self, attempt: Callable[[], list[Any]]) -> list[Any]:
        while True:
            try:
                self._rearrange()
                results = attempt()
            except RanksFailedError as failed:
                self._lose(failed)
            else:
                self._report_recovery()
                return results

    def _rearrange(self) -> None:
        """Let in who is ready, let go who is too many, ask Ray for who is missing."""
        self._ready += self._crew.arrivals()
        while True:
            self._crew.start(to_start(self._status()))
            match decide(self._status(), self._elastic):
                case Proceed(admitted):
                    if admitted or self._ranks is None:
                        self._form((*self._living, *self._ready[:admitted]))
                    return
                case Dismiss(count):
                    self._dismiss(count)
                case Await():
                    self._ready += self._crew.arrivals(_TICK_S)
                case GiveUp(reason):
                    self._to(Phase.FAILED)
                    detail = f" ({self._crew.last_failure})" if self._crew.last_failure else ""
                    raise WorkerError(f"{reason}{detail}; resume from the last checkpoint")

    def _catch_up(self) -> list[Any]:
        """Do what is not done yet, up to the step that was asked for; that step's results."""
        if not self.is_held:
            self._begin()
        results: list[Any] = []
        for number in range(self._done + 1, self._number + 1):
            results = self._all("advance", number, self._plans[number])
            self._done = number
        return results

    def _results_of_last(self) -> list[Any]:
        """Of a step that was committed before its results were heard of."""
        return [r for r in self._all("result_of", self._number) if r is not None]

    def _form(self, hands: Sequence[Hand]) -> None:
        """A new epoch of these workers, at the newest step that is committed."""
        self._to(Phase.FORMING)
        if self._ranks is not None:
            self._part()
        newcomers = [hand for hand in hands if hand not in self._living]
        nodes = [hand.member.node for hand in hands]
        self._living = tuple(hands[place] for place in rank_order(nodes))
        self._ready = [hand for hand in self._ready if hand not in self._living]
        nodes = self._nodes()
        invitations = self._rendezvous.next_epoch([Counter(nodes)[node] for node in nodes])
        self._ranks = Ranks(self._living, self._rendezvous.epoch)
        self._heartbeats = Heartbeats(self._living, self._elastic.heartbeat_s)
        self._gather([self._ranks.submit(i.rank, "join_group", i) for i in invitations])
        workers = [member.to_dict() for member in self.ranks.members]
        self._tell("epoch_started", epoch=self.ranks.epoch, world_size=len(nodes), workers=workers)
        if self.is_held:
            self._done = self._all("inherit", nodes, self._elastic.replicas)[0]
            for hand in newcomers:
                self._tell("worker_joined", **hand.member.to_dict())
        self._to(Phase.RUNNING)

    def _begin(self) -> None:
        """Replicas of what the first step starts from."""
        if self._elastic.replicas:
            self._all("hold_from", 0, self._nodes(), self._elastic.replicas)
        self.is_held = True

    def _dismiss(self, count: int) -> None:
        """The last ranks go, not more at once than there are replicas of what they hold."""
        self._part()
        at = len(self._living) - min(count, max(1, self._elastic.replicas))
        for rank, hand in enumerate(self._living[at:], at):
            self._crew.end(hand)
            self._tell("worker_left", rank=rank, pid=hand.member.pid)
        self._living = self._living[:at]
        if len(self._living) > self.target:
            self._form(self._living)

    def _part(self) -> None:
        """End the epoch in order: all at the same step, and that step committed."""
        self._all("hold_from", self._done, self._nodes(), max(1, self._elastic.replicas))
        self.ranks.leave(_LEAVE_S)
        self._ranks = None

    def _lose(self, failed: RanksFailedError) -> None:
        """End the epoch after a failure. Raises the error of a worker that failed by itself."""
        is_final = not self._elastic.replicas or self._in_vain == _MAX_IN_VAIN
        if failed.culprit.cause is Cause.RAISED or is_final:
            self._to(Phase.FAILED)
            raise failed.culprit.to_error() from failed.cause
        self._to(Phase.RECOVERING)
        self._lost_at = self._lost_at or time.monotonic()
        lost = {f.rank: f.reason for f in failed.failures if f.cause is Cause.DIED}
        for rank in self._heartbeats.silent():
            lost.setdefault(rank, f"silent for {self._elastic.heartbeat_s:g} s")
        for rank in lost:
            self._crew.end(self._living[rank])
        self._rendezvous.end_epoch()
        for rank in self.ranks.leave(_LEAVE_S, failed.refs):
            if rank not in lost:
                lost[rank] = f"has not left its group within {_LEAVE_S:g} s"
                self._crew.end(self._living[rank])
        self._in_vain = 0 if lost else self._in_vain + 1
        for rank, reason in sorted(lost.items()):
            self._tell("worker_lost", rank=rank, pid=self._living[rank].member.pid, reason=reason)
        self._living = tuple(hand for rank, hand in enumerate(self._living) if rank not in lost)
        self._ranks = None

    def _report_recovery(self) -> None:
        if self._lost_at is not None:
            seconds, self._lost_at = time.monotonic() - self._lost_at, None
            self._tell("recovered", epoch=self.ranks.epoch, seconds=seconds, steps_lost=0)

    def _all(self, method: str, *args: Any) -> list[Any]:
        return self._gather(self.ranks.submit_all(method, *args))

    def _gather(self, refs: Sequence[Any]) -> list[Any]:
        return self.ranks.gather(refs, is_anyone_silent=lambda: bool(self._heartbeats.silent()))

    def _nodes(self) -> list[str]:
        return [hand.member.node for hand in self._living]

    def _status(self) -> Status:
        return Status(
            living=len(self._living),
            starting=self._crew.starting,
            ready=len(self._ready),
            target=self.target,
            failed_starts=self._crew.failed_starts,
        )

    def _to(self, phase: Phase) -> None:
        self.phase = require(self.phase, phase)
