"""Every rank's state of the last steps, where its peers can read it when it has died.

A rank copies its snapshot into a slot while its next step computes. Ranks of one host map each
other's slots, so that the one copy is what it falls back to itself and its replica in one;
between hosts a slot is sent to its holders. A step is committed on all ranks or on none: when
every replica of it has landed. Two slots take turns, for until then the one before must stay.
"""

from collections.abc import Collection, Sequence

import torch

from raylm.collectives.queue import Handle, OrderedQueue
from raylm.collectives.transport import Transport
from raylm.runtime.slot import Slot, Snapshot, size_bytes
from raylm.runtime.transfer import Holding


class Replicas:
    """`holders[r]`: the ranks that keep a copy of rank r's state where memory is not shared."""

    def __init__(
        self, transport: Transport, holders: Sequence[Sequence[int]], epoch: int = 0
    ) -> None:
        self.rank, self.world_size, self.epoch = transport.rank, transport.world_size, epoch
        self._transport, self._holders = transport, holders
        self._queue = OrderedQueue("raylm-replicas")
        self._handle = Handle.finished()
        self._slots: list[dict[int, Slot]] = [{}, {}]  # by turn, then by owner
        self._turn = 0
        self._is_shared = False
        self._is_open = True

    @property
    def held_bytes(self) -> int:
        """Of the slots this rank writes and, where memory is not shared, keeps for others."""
        owners = (self.rank, *(() if self._is_shared else self._kept()))
        return sum(slots[o].size_bytes for slots in self._slots for o in owners if o in slots)

    def hold(self, step: int, snapshot: Snapshot, parts: Collection[str] = ()) -> None:
        """Start to copy the state after `step`, which must not change before `wait` returns.

        `parts`: the arrays that ranks divide among them.
        """
        self.wait()
        self._handle = self._queue.submit(lambda: self._land(step, snapshot, frozenset(parts)))

    def wait(self) -> None:
        """Returns when what was held has landed on all ranks: its step is committed."""
        self._handle.wait()

    def holdings(self) -> list[Holding]:
        """What this rank can read: its own state and others'."""
        return [
            Holding(self.epoch, self.world_size, owner, step, slot.contents())
            for slots in self._slots
            for owner, slot in slots.items()
            if (step := slot.step) is not None
        ]

    def slot(self, owner: int, step: int) -> Slot:
        candidates = (slots[owner] for slots in self._slots if owner in slots)
        return next(slot for slot in candidates if slot.step == step)

    def close(self) -> None:
        """Leave the group. What has landed stays readable."""
        if self._is_open:
            self._is_open = False
            self._queue.fail(RuntimeError("the replicas are closed"))
            self._queue.close()
            self._transport.close()

    def _land(self, step: int, snapshot: Snapshot, parts: Collection[str]) -> None:
        slots = self._slots[self._turn]
        self._make_room(slots, size_bytes(snapshot))
        slots[self.rank].write(step, snapshot, parts)
        if not self._is_shared:
            self._send(slots)
        self.commit()

    def commit(self) -> None:
        """Nobody is past this before all have come to it."""
        self._transport.all_reduce(torch.zeros(1))
        self._turn = 1 - self._turn

    def _make_room(self, slots: dict[int, Slot], wanted: int) -> None:
        """On all ranks alike: optimizers, for one, get their state in the first step."""
        has_room = self.rank in slots and slots[self.rank].size_bytes >= wanted
        lacking = torch.tensor([0.0 if has_room else 1.0])
        self._transport.all_reduce(lacking)
        if lacking.any():
            size = max(self._transport.gather_objects(wanted))
            buffer = self._transport.allocate(size, torch.uint8, torch.device("cpu"))
            self._is_shared = bool(buffer.peers)
            slots.clear()
            slots.update({owner: Slot(memory) for owner, memory in enumerate(buffer.peers)})
            slots[self.rank] = Slot(buffer.local)

    def _send(self, slots: dict[int, Slot]) -> None:
        own = slots[self.rank].memory
        kept = self._kept()
        parts = [own if r in self._holders[self.rank] else own[:0] for r in self._ranks()]
        counts = [len(own) if r in kept else 0 for r in self._ranks()]
        received = self._transport.exchange(parts, counts)
        slots.update({owner: Slot(received[owner]) for owner in kept})

    def _kept(self) -> list[int]:
        return [owner for owner in self._ranks() if self.rank in self._holders[owner]]

    def _ranks(self) -> range:
        return range(self.world_size)


def holders(nodes: Sequence[str], copies: int) -> list[list[int]]:
    """By rank, `copies` other ranks, those on other nodes first and each of them in turn."""
    world_size = len(nodes)
    found = []
    for rank, node in enumerate(nodes):
        first = rank + nodes.count(node)
        ring = [(first + step) % world_size for step in range(world_size)]
        others = [other for other in ring if other != rank]
        elsewhere = [other for other in others if nodes[other] != node]
        here = [other for other in others if nodes[other] == node]
        found.append([*elsewhere, *here][:copies])
    return found
