"""Who sends what to whom so that every rank of a new group has the state it wants (pure).

A snapshot maps a name to an interval of the elements of one flat array. Ranks of the old group
held overlapping or disjoint intervals; ranks of the new one can read some of these, for they
are survivors of it or kept replicas of the lost. Only what a rank cannot read itself is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from raylm.core.errors import StateLostError
from raylm.core.partition import Copy, cover, even_part
from raylm.runtime.slot import Entry

Intervals = Mapping[str, range]


@dataclass(frozen=True, slots=True)
class Holding:
    """The state after `step` of rank `owner` of the `world_size` of an epoch, readable by who
    says so."""

    epoch: int
    world_size: int
    owner: int
    step: int
    entries: Mapping[str, Entry]

    @property
    def moment(self) -> "Moment":
        return Moment(self.step, self.epoch)


class Moment(NamedTuple):
    """A step as one epoch has held it; the later one is the greater."""

    step: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Read:
    """Elements `copy.read` of what `owner` held of `name`, read by `reader`, go to `copy.write` of
    what `wanter` wants of it."""

    name: str
    owner: int
    reader: int
    wanter: int
    copy: Copy


def newest_common(readable: Sequence[Sequence[Holding]]) -> Moment | None:
    """The newest moment of which the state of all its epoch's ranks is readable by somebody."""
    held = list(chain.from_iterable(readable))
    owners = {h.moment: {h.owner} for h in held}
    for holding in held:
        owners[holding.moment].add(holding.owner)
    complete = [h.moment for h in held if len(owners[h.moment]) == h.world_size]
    return max(complete, default=None)


def missing(readable: Sequence[Sequence[Holding]]) -> list[int]:
    """The ranks of the newest epoch of which nobody can read any state."""
    held = list(chain.from_iterable(readable))
    newest = max((h.epoch for h in held), default=0)
    known = {h.owner for h in held if h.epoch == newest}
    world_size = max((h.world_size for h in held if h.epoch == newest), default=0)
    return [rank for rank in range(world_size) if rank not in known]


def plan(
    readable: Sequence[Sequence[Holding]], wants: Sequence[Intervals], moment: Moment
) -> list[Read]:
    """By new rank: what each can read, and what it wants. Every rank finds the same plan.

    Raises StateLostError naming the first element that nobody holds.
    """
    reads: list[Read] = []
    for wanter, intervals in enumerate(wants):
        sources = _sources(readable, moment, wanter)
        for name, wanted in intervals.items():
            stored = [(reader, held) for reader, held in sources if name in held.entries]
            try:
                copies = cover([held.entries[name].interval for _, held in stored], wanted)
            except ValueError as error:
                raise StateLostError(f"{name!r} of step {moment.step}: {error}") from None
            for copy in copies:
                reader, held = stored[copy.source]
                reads.append(Read(name, held.owner, reader, wanter, copy))
    return reads


def even_share(lengths: Mapping[str, int], rank: int, world_size: int) -> dict[str, range]:
    """Each array cut into `world_size` contiguous parts whose sizes differ by one at most."""
    return {name: even_part(length, rank, world_size) for name, length in lengths.items()}


def _sources(
    readable: Sequence[Sequence[Holding]], moment: Moment, wanter: int
) -> list[tuple[int, Holding]]:
    """Every old rank's state once, by the reader who is nearest: the wanter itself if it can."""
    nearest: dict[int, tuple[int, Holding]] = {}
    for reader in (wanter, *(rank for rank in range(len(readable)) if rank != wanter)):
        for holding in readable[reader]:
            if holding.moment == moment:
                nearest.setdefault(holding.owner, (reader, holding))
    return sorted(nearest.values(), key=lambda source: source[0] != wanter)
