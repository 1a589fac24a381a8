"""The state of an old group's newest common step, shared out over the ranks of a new one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from raylm.collectives.transport import Transport
from raylm.core.errors import StateLostError
from raylm.runtime.replica import Replicas
from raylm.runtime.slot import Entry, Snapshot
from raylm.runtime.transfer import Intervals, Moment, Read, missing, newest_common, plan


@dataclass(frozen=True, slots=True)
class Recovered:
    """`received_bytes`: what this rank could not read itself."""

    step: int
    snapshot: Snapshot
    received_bytes: int


Wanted = Callable[[Mapping[str, Sequence[Entry]]], Intervals]
"""From what the ranks of the old group held of each name to the intervals this rank wants."""


def recover(transport: Transport, kept: Sequence[Replicas], wanted: Wanted) -> Recovered:
    """Every rank of the new group calls this with the replicas of its former groups, if any.

    Raises StateLostError on all of them where nobody can read the state of some former rank.
    """
    own = [holding for replicas in kept for holding in replicas.holdings()]
    readable = transport.gather_objects(own)
    moment = newest_common(readable)
    if moment is None:
        raise StateLostError(
            f"the state of rank {missing(readable)} died with all its replicas; set "
            "elastic.replicas to as many workers as may die at once"
        )
    entries = {
        (held.owner, name): entry
        for held in chain.from_iterable(readable)
        if held.moment == moment
        for name, entry in held.entries.items()
    }
    wants = transport.gather_objects(wanted(_by_name(entries)))
    reads = plan(readable, wants, moment)
    target = _Target(wants[transport.rank], entries)
    source = _Source(kept, moment)
    received_bytes = _exchange(transport, source, reads, target)
    for read in reads:
        if read.reader == read.wanter == transport.rank:
            target.put(read, source.read(read))
    return Recovered(moment.step, target.snapshot(), received_bytes)


class _Source:
    def __init__(self, kept: Sequence[Replicas], moment: Moment) -> None:
        self._kept, self._moment = kept, moment

    def read(self, read: Read) -> Tensor:
        """As bytes."""
        replicas = next(r for r in self._kept if r.epoch == self._moment.epoch)
        slot = replicas.slot(read.owner, self._moment.step)
        return slot.read(read.name)[read.copy.read].view(torch.uint8)


class _Target:
    """Memory for what this rank wants, filled a piece at a time."""

    def __init__(self, wants: Intervals, entries: Mapping[tuple[int, str], Entry]) -> None:
        of_name = {name: entry for (_, name), entry in entries.items()}
        self._wants = wants
        self._lengths = {name: of_name[name].length for name in wants}
        self._values = {
            name: torch.empty(len(interval), dtype=getattr(torch, of_name[name].dtype))
            for name, interval in wants.items()
        }

    def put(self, read: Read, values: Tensor) -> None:
        """`values`: as bytes, which need no alignment."""
        self._values[read.name][read.copy.write].view(torch.uint8).copy_(values)

    def size_bytes(self, read: Read) -> int:
        return self._values[read.name][read.copy.write].nbytes

    def snapshot(self) -> Snapshot:
        return {
            name: (interval.start, self._lengths[name], self._values[name])
            for name, interval in self._wants.items()
        }


def _exchange(transport: Transport, source: _Source, reads: Sequence[Read], target: _Target) -> int:
    """What ranks cannot read themselves, in the plan's order; the bytes this rank received."""
    rank, ranks = transport.rank, range(transport.world_size)
    moved = [read for read in reads if read.reader != read.wanter]
    if not moved:
        return 0
    own = [read for read in moved if read.wanter == rank]
    parts = [[torch.empty(0, dtype=torch.uint8)] for _ in ranks]
    for read in moved:
        if read.reader == rank:
            parts[read.wanter].append(source.read(read))
    counts = [sum(target.size_bytes(read) for read in own if read.reader == r) for r in ranks]
    received = transport.exchange([torch.cat(of_rank) for of_rank in parts], counts)
    at = [0] * transport.world_size
    for read in own:
        end = at[read.reader] + target.size_bytes(read)
        target.put(read, received[read.reader][at[read.reader] : end])
        at[read.reader] = end
    return sum(counts)


def _by_name(entries: Mapping[tuple[int, str], Entry]) -> dict[str, list[Entry]]:
    names: dict[str, list[Entry]] = {}
    for (_, name), entry in entries.items():
        names.setdefault(name, []).append(entry)
    return names
