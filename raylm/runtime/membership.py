"""Who is in a group: its list of (epoch, rank, actor, node), changed only as a whole.

Every group belongs to an epoch. A failure ends the epoch: the lost are ended for certain and the
survivors leave; then they form the next one, with whoever is ready.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from raylm.runtime.crew import Crew, Hand
from raylm.runtime.failure import Cause
from raylm.runtime.health import Heartbeats
from raylm.runtime.ledger import Ledger, Record
from raylm.runtime.phase import Phase, require
from raylm.runtime.ranks import Ranks, RanksFailedError
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.replica import Keeping, keepings
from raylm.runtime.resources import rank_order
from raylm.runtime.worker import Member

OnEvent = Callable[..., None]  # (name, **fields)
_LEAVE_S = 5.0  # a survivor that has not come out of its call by then is none


class Membership:
    """`on_event` is told who comes and goes; `ledger` is written before anybody acts on it."""

    def __init__(
        self,
        crew: Crew,
        rendezvous: Rendezvous,
        heartbeat_s: float,
        on_event: OnEvent,
        ledger: Ledger | None = None,
    ) -> None:
        self.phase = Phase.STARTING
        self.living: tuple[Hand, ...] = ()
        self.ready: list[Hand] = []
        self._crew, self._rendezvous = crew, rendezvous
        self._heartbeat_s, self._tell, self._ledger = heartbeat_s, on_event, ledger
        self._ranks: Ranks | None = None
        self.health = Heartbeats((), heartbeat_s, crew.calls)

    @property
    def ranks(self) -> Ranks:
        assert self._ranks is not None
        return self._ranks

    @property
    def members(self) -> list[Member]:
        """By rank."""
        return [replace(hand.member, rank=rank) for rank, hand in enumerate(self.living)]

    @property
    def epoch(self) -> int:
        return self._rendezvous.epoch

    @property
    def is_formed(self) -> bool:
        return self._ranks is not None

    @property
    def nodes(self) -> list[str]:
        """By rank."""
        return [hand.member.node for hand in self.living]

    def keepings(self, replicas: int) -> Sequence[Keeping | None]:
        """By rank."""
        return keepings(self.nodes, replicas) if replicas else [None] * len(self.living)

    def call(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        """On every rank; results in rank order. Raises RanksFailedError."""
        return self.gather(self.ranks.submit_all(method, *args, **kwargs))

    def call_each(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Like `call`, with its own arguments for each rank."""
        return self.gather(
            [self.ranks.submit(rank, method, *own) for rank, own in enumerate(arguments)]
        )

    def gather(self, refs: Sequence[Any]) -> list[Any]:
        return self.ranks.gather(refs, self.health.silent)

    def meet(self, timeout_s: float = 0.0) -> None:
        """Whoever has started by now, or within the time, is ready."""
        self.ready += self._crew.arrivals(timeout_s)

    def start(self, count: int, target: int) -> None:
        """Ask for workers."""
        self._crew.start(count, is_late=self.epoch >= 0)
        self.remember(target)

    def remember(self, target: int) -> None:
        """What whoever leads the group next must know."""
        if self._ledger is not None:
            crew = self._crew
            self._ledger.write(Record(self.epoch, target, crew.taken, crew.free))

    def drop(self, count: int) -> None:
        """Of those that start or are ready; the latter last."""
        starting = min(count, self._crew.starting)
        if starting:
            self._crew.cancel(starting)
        for _ in range(count - starting):
            self._crew.end(self.ready.pop())

    def form(self, hands: Sequence[Hand], target: int) -> list[Member]:
        """A new epoch of these workers; those that were in none before."""
        self.to(Phase.FORMING)
        newcomers = set(hands) - set(self.living)
        nodes = [hand.member.node for hand in hands]
        self._enter([hands[place] for place in rank_order(nodes)])
        self.ready = [hand for hand in self.ready if hand not in newcomers]
        on_node = Counter(nodes)
        invitations = self._rendezvous.next_epoch([on_node[node] for node in self.nodes])
        self.remember(target)
        self._ranks = Ranks(self.living, self._rendezvous.epoch, self._crew.calls)
        self.call_each("join_group", [(invitation,) for invitation in invitations])
        members, epoch = self.members, self.epoch
        workers = [member.to_dict() for member in members]
        self._tell("epoch_started", epoch=epoch, world_size=len(nodes), workers=workers)
        return [m for m, hand in zip(members, self.living, strict=True) if hand in newcomers]

    def adopt(self, record: Record) -> None:
        """Take over from a controller that has died: its workers finish what it asked of them."""
        self._crew.adopt(record)
        self._rendezvous.epoch = record.epoch
        hands = sorted(self._crew.arrivals(self._heartbeat_s), key=lambda h: h.member.rank)
        self.ready = [hand for hand in hands if hand.member.rank < 0]
        self._enter([hand for hand in hands if hand.member.rank >= 0])
        self._ranks = Ranks(self.living, record.epoch, self._crew.calls)
        try:
            self.call("settle")
            self.part()
        except RanksFailedError as failed:
            self.lose(failed)

    def part(self) -> None:
        """End the epoch in order."""
        self.ranks.leave(_LEAVE_S)
        self._ranks = None

    def lose(self, failed: RanksFailedError) -> list[int]:
        """End the epoch after a failure; the ranks that are lost in it."""
        self.to(Phase.RECOVERING)
        lost = {f.rank: f.reason for f in failed.failures if f.cause is Cause.DIED}
        silent = [rank for rank in self.health.silent() if rank not in lost]
        for rank in silent:
            lost[rank] = f"silent for {self._heartbeat_s:g} s"
        for rank in lost:
            # Of one that is silent the node may be about to die, too.
            self._crew.end(self.living[rank], is_replaced=rank not in silent)
        self._rendezvous.end_epoch()
        for rank in self.ranks.leave(_LEAVE_S, failed.refs):
            if rank not in lost:
                lost[rank] = f"has not left its group within {_LEAVE_S:g} s"
                self._crew.end(self.living[rank])
        for rank, reason in sorted(lost.items()):
            self._tell("worker_lost", rank=rank, pid=self.living[rank].member.pid, reason=reason)
        self._enter([hand for rank, hand in enumerate(self.living) if rank not in lost])
        self._ranks = None
        return sorted(lost)

    def end_silent(self) -> None:
        """Of a group that is given up: those that would not hear of its end."""
        for rank in self.health.silent():
            self._crew.end(self.living[rank])

    def dismiss(self, ranks: Sequence[int]) -> None:
        """Let them go, whose state others hold, after the epoch has ended."""
        for rank in ranks:
            hand = self.living[rank]
            self._crew.end(hand)
            self._tell("worker_left", rank=rank, pid=hand.member.pid)
        self._enter([hand for rank, hand in enumerate(self.living) if rank not in ranks])

    def close(self) -> None:
        self.to(Phase.CLOSED)
        self._crew.close()
        if self._ledger is not None:
            self._ledger.erase()

    def to(self, phase: Phase) -> None:
        self.phase = require(self.phase, phase)

    def _enter(self, hands: Sequence[Hand]) -> None:
        self.living = tuple(hands)
        leaving = self.health.leaving_hands
        self.health = Heartbeats(self.living, self._heartbeat_s, self._crew.calls, leaving)
