"""Every rank's state of the last steps, where its peers can read it when it has died.

A rank copies its snapshot into a slot while its next step computes. Ranks of one host map each
other's slots, so that the one copy is what it falls back to itself and its replica in one;
between hosts a slot is sent to its holders. A step is committed on all ranks or on none: when
every replica of it has landed. Two slots take turns, for until then the one before must stay.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from raylm.collectives.queue import Handle, OrderedQueue
from raylm.collectives.transport import Transport
from raylm.runtime.slot import Slot, Snapshot, size_bytes
from raylm.runtime.transfer import Holding


@dataclass(frozen=True, slots=True)
class Keeping:
    """The ranks that keep a copy of this one's state, and those whose copy it keeps."""

    holders: tuple[int, ...]
    owners: tuple[int, ...]


class Replicas:
    """`keeping`: by whom and of whom, where memory is not shared."""

    def __init__(self, transport: Transport, keeping: Keeping, epoch: int = 0) -> None:
        self.rank, self.world_size, self.epoch = transport.rank, transport.world_size, epoch
        self._transport, self._keeping = transport, keeping
        self._queue = OrderedQueue("raylm-replicas")
        self._handle = Handle.finished()
        self._slots: list[dict[int, Slot]] = [{}, {}]  # by turn, then by owner
        self._turn = 0
        self._is_shared = False
        self._is_open = True

    @property
    def held_bytes(self) -> int:
        """Of the slots this rank writes and, where memory is not shared, keeps for others."""
        owners = (self.rank, *(() if self._is_shared else self._keeping.owners))
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
        own, ranks = slots[self.rank].memory, range(self.world_size)
        holders, owners = self._keeping.holders, self._keeping.owners
        parts = [own if rank in holders else own[:0] for rank in ranks]
        counts = [len(own) if rank in owners else 0 for rank in ranks]
        received = self._transport.exchange(parts, counts)
        slots.update({owner: Slot(received[owner]) for owner in owners})


def keepings(nodes: Sequence[str], copies: int) -> list[Keeping]:
    """By rank: who keeps whose copies. Ranks on other nodes come first, each of them in turn."""
    world_size, on_node = len(nodes), Counter(nodes)
    holders = [tuple(_holders(rank, nodes, on_node, copies)) for rank in range(world_size)]
    owners: list[list[int]] = [[] for _ in nodes]
    for rank, of_rank in enumerate(holders):
        for holder in of_rank:
            owners[holder].append(rank)
    return [Keeping(*of_rank) for of_rank in zip(holders, map(tuple, owners), strict=True)]


def _holders(
    rank: int, nodes: Sequence[str], on_node: Mapping[str, int], copies: int
) -> Iterator[int]:
    own, world_size = nodes[rank], len(nodes)
    count = on_node[own]

    def ring() -> Iterator[int]:
        return (n % world_size for n in range(rank + count, rank + count + world_size))

    elsewhere = min(copies, world_size - count)
    yield from islice((other for other in ring() if nodes[other] != own), elsewhere)
    here = (other for other in ring() if nodes[other] == own and other != rank)
    yield from islice(here, copies - elsewhere)
