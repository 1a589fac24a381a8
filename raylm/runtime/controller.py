"""Keeps a group of workers at one step, whoever dies, comes or goes.

After a failure the survivors, and whoever is ready, share out the newest committed state and do
again what had not been committed.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from raylm.core.errors import PoisonedStepError, StateLostError, WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.crew import START_TIMEOUT_S, Crew, Hand
from raylm.runtime.failure import Cause
from raylm.runtime.ledger import Record
from raylm.runtime.membership import Membership, OnEvent
from raylm.runtime.nodes import Nodes
from raylm.runtime.phase import Phase
from raylm.runtime.policy import (
    Await,
    Dismiss,
    GiveUp,
    Proceed,
    Status,
    Suspicion,
    decide,
    grown,
    to_drop,
    to_start,
)
from raylm.runtime.ranks import Ranks, RanksFailedError
from raylm.runtime.worker import Member

_TICK_S = 0.25
_MAX_IN_VAIN = 3
_REDONE = 3  # steps of which the plan is kept: the one asked for and those it may take again


class Controller:
    """`target`: how many workers there shall be."""

    def __init__(
        self,
        crew: Crew,
        members: Membership,
        nodes: Nodes,
        target: int,
        elastic: Elastic,
        on_event: OnEvent,
    ) -> None:
        self.target = target
        self._crew, self._members, self._elastic, self._tell = crew, members, elastic, on_event
        self._nodes = nodes
        self.is_held = False
        self._plans: dict[int, Any] = {}
        self._number = self._done = 0  # the step asked for, and the last one that is done
        self._redone = 0  # steps that the last epoch began by doing again
        self._suspicion = Suspicion()
        self._reported_slow: set[int] = set()  # pids
        self._lost_at: float | None = None
        self._in_vain = 0  # failures in a row in which nobody was lost
        self._is_waiting = False

    @property
    def ranks(self) -> Ranks:
        return self._members.ranks

    @property
    def members(self) -> list[Member]:
        return self._members.members

    @property
    def epoch(self) -> int:
        return self._members.epoch

    def start(self) -> None:
        """The first epoch, of all that are ready. Raises RanksFailedError."""
        self._form(self._members.ready)

    def adopt(self, record: Record) -> None:
        """Go on with the workers of a controller that has died, from where they are."""
        self.is_held = True
        self.target = record.target
        self._members.adopt(record)
        self._persist(list)
        self._number = self._done

    def step(self, indices: Any, victims: Sequence[tuple[int, int]] = ()) -> list[Any]:
        """The next step, done by every rank; results by rank. It counts once, whoever dies in it.
        `victims`: (rank, world size) of who has died in it in a group before this one.

        Raises the worker's error where it is to blame, WorkerError where too few are left,
        StateLostError where none is, and PoisonedStepError, after which another step may be
        asked for in its place.
        """
        self._number += 1
        self._plans = {n: plan for n, plan in self._plans.items() if n > self._number - _REDONE}
        self._plans[self._number] = indices
        if victims:
            self._suspicion = Suspicion(self._number, tuple(victims))
        return self._persist(lambda: self._catch_up() or self.last_results())

    def call(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """A method on every rank after the last step; from the start again if one dies in it."""

        def attempt() -> list[Any]:
            self._catch_up()
            return self._members.call(method, *args, **kwargs)

        return self._persist(attempt)

    def gather(self, refs: Sequence[Any]) -> list[Any]:
        """Of a group that is not elastic. Raises RanksFailedError also where a worker is silent,
        which is ended."""
        try:
            return self._members.gather(refs)
        except RanksFailedError:
            self._members.end_silent()
            raise

    def last_results(self) -> list[Any]:
        """Of the step that was done last, as far as its workers live."""
        results = self._members.call("result_of", self._done)
        return [result for result in results if result is not None]

    def resize(self, target: int, *, wait: bool) -> None:
        """With `wait`, returns when so many are at work. Raises WorkerError where they have no
        room."""
        before, self.target = self.target, target
        deadline = time.monotonic() + START_TIMEOUT_S
        while wait and len(self._members.living) != target:
            if time.monotonic() > deadline:
                self.target = before
                raise self._crew.places.no_room(START_TIMEOUT_S, target)
            try:
                self._members.meet(_TICK_S)
                self._rearrange()
                self._report_recovery()
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
                self._in_vain, self._is_waiting = 0, False
                self._report_recovery()
                return results

    def _rearrange(self) -> None:
        """Let in who is ready, let go who is too many, ask Ray for who is missing."""
        self._look_around()
        while True:
            self._members.drop(to_drop(self._status()))
            decision = decide(self._status(), self._elastic)
            if not (isinstance(decision, Proceed) and self._lost_at is not None):
                # While the survivors recover, a start would only take their cores.
                self._members.start(to_start(self._status()), self.target)
            match decision:
                case Proceed(admitted):
                    if admitted or not self._members.is_formed:
                        self._form((*self._members.living, *self._members.ready[:admitted]))
                    return
                case Dismiss(ranks):
                    self._dismiss(ranks)
                case Await(count):
                    self._await(count)
                case GiveUp(reason, is_lost):
                    self._give_up(reason, is_lost=is_lost)

    def _await(self, count: int) -> None:
        if not self._is_waiting:
            self._is_waiting = True
            self._tell("waiting", workers=count, room=self._crew.places.room())
        self._members.meet(_TICK_S)

    def _look_around(self) -> None:
        members = self._members
        members.meet()
        members.health.listen()
        added = self._nodes.added()
        self.target = grown(self.target, self._elastic, added, self._crew.resources)
        slow = {rank: members.living[rank].member.pid for rank in members.health.stragglers}
        for rank, pid in slow.items():
            if pid not in self._reported_slow:
                self._tell("straggler", rank=rank, pid=pid)
        self._reported_slow = set(slow.values())

    def _catch_up(self) -> list[Any]:
        """Do what is not done yet, up to the step that was asked for; that step's results."""
        if not self.is_held:
            self._begin()
        results: list[Any] = []
        for number in range(self._done + 1, self._number + 1):
            try:
                if self._suspicion.is_of(number):
                    self._members.call("settle")  # it may kill again, and at once
                results = self._members.call("advance", number, self._plans[number])
            except RanksFailedError as failed:
                self._suspect(number, failed)
                raise
            self._done = number
        return results

    def _form(self, hands: Sequence[Hand]) -> None:
        """A new epoch of these workers, at the newest step that is committed."""
        if self._members.is_formed:
            self._part()
        began = time.monotonic()
        newcomers = self._members.form(hands, self.target)
        if self.is_held:
            self._done = self._hold("inherit", replicas=self._elastic.replicas)[0]
            self._redone = self._number - self._done
            seconds = time.monotonic() - began
            for member in newcomers:
                self._tell("worker_joined", **member.to_dict(), seconds=seconds)
        self._members.to(Phase.RUNNING)

    def _begin(self) -> None:
        """Replicas of what the first step starts from."""
        if self._elastic.replicas:
            self._hold("hold_from", self._done, replicas=self._elastic.replicas)
        self.is_held = True

    def _dismiss(self, ranks: Sequence[int]) -> None:
        """Not more at once than there are replicas of what they hold."""
        if not self._members.is_formed:
            self._form(self._members.living)
        self._part()
        at_once = max(1, self._elastic.replicas)
        self._members.dismiss(sorted(ranks)[-at_once:])

    def _part(self) -> None:
        """End the epoch in order: all at the same step, and that step committed."""
        self._hold("hold_from", self._done, replicas=max(1, self._elastic.replicas))
        self.is_held = True
        self._members.part()

    def _hold(self, method: str, *args: Any, replicas: int) -> list[Any]:
        keepings = self._members.keepings(replicas)
        return self._members.call_each(method, [(*args, keeping) for keeping in keepings])

    def _lose(self, failed: RanksFailedError) -> None:
        """End the epoch after a failure. Raises the error of a worker that failed by itself."""
        is_in_vain = failed.culprit.cause is not Cause.DIED and self._in_vain == _MAX_IN_VAIN
        is_final = not self._elastic.replicas or is_in_vain
        if failed.culprit.cause is Cause.RAISED or is_final:
            self._members.to(Phase.FAILED)
            error = failed.culprit.to_error()
            if isinstance(error, StateLostError):
                error.victims = self._suspicion.victims
            raise error from failed.cause
        self._lost_at = self._lost_at or time.monotonic()
        lost = self._members.lose(failed)
        self._in_vain = 0 if lost else self._in_vain + 1
        if self._suspicion.is_certain:
            victims, self._suspicion = self._suspicion.victims, Suspicion()
            self._number -= 1
            raise PoisonedStepError(
                f"a step has killed a worker {len(victims)} times in a row", victims
            )

    def _suspect(self, number: int, failed: RanksFailedError) -> None:
        if failed.culprit.cause is Cause.DIED:
            world_size = len(self._members.living)
            self._suspicion = self._suspicion.struck(number, failed.culprit.rank, world_size)

    def _report_recovery(self) -> None:
        if self._lost_at is not None:
            seconds, self._lost_at = time.monotonic() - self._lost_at, None
            self._tell(
                "recovered",
                epoch=self._members.epoch,
                seconds=seconds,
                steps_lost=0,
                steps_redone=self._redone,
            )

    def _give_up(self, reason: str, *, is_lost: bool) -> NoReturn:
        self._members.to(Phase.FAILED)
        detail = f" ({self._crew.last_failure})" if self._crew.last_failure else ""
        message = f"{reason}{detail}; resume from the last checkpoint"
        if is_lost:
            raise StateLostError(message, self._suspicion.victims)
        raise WorkerError(message)

    def _status(self) -> Status:
        health = self._members.health
        drained = {r for r, node in enumerate(self._members.nodes) if node in self._nodes.draining}
        return Status(
            living=len(self._members.living),
            starting=self._crew.starting,
            ready=len(self._members.ready),
            target=self.target,
            failed_starts=self._crew.failed_starts,
            leaving=tuple(sorted(drained.union(health.leaving))),
            slow=tuple(health.stragglers) if self._elastic.replace_stragglers else (),
            is_suspect=self._suspicion.is_of(self._number),
        )
