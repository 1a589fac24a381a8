"""Which elements of which parameter lie where: interval arithmetic on integers alone.

Parameters stand one after another in a flat buffer, which is padded and cut into one equal,
contiguous shard per rank. Where a parameter lies in a checkpoint, on a rank or on a peer is
then an interval of its elements, whatever the ZeRO stage and the world size.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

ALIGNMENT = 16  # elements: 64 bytes of float32, a cache line and a vector register
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """A whole parameter in a flat buffer, from element `start` on."""

    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    @property
    def range(self) -> range:
        return range(self.start, self.start + self.numel)


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of a parameter that one shard holds: `within` the parameter, from `offset` on
    in the shard."""

    name: str
    within: range
    offset: int

    @property
    def numel(self) -> int:
        return len(self.within)

    @property
    def place(self) -> slice:
        return slice(self.offset, self.offset + self.numel)


@dataclass(frozen=True)
class FlatLayout:
    """`numel` real elements; `padded` of them over all ranks, at most ALIGNMENT more per rank."""

    spans: tuple[Span, ...]
    world_size: int

    @classmethod
    def of(cls, shapes: Mapping[str, Sequence[int]], world_size: int) -> "FlatLayout":
        spans, start = [], 0
        for name, shape in shapes.items():
            spans.append(Span(name, tuple(shape), start))
            start += spans[-1].numel
        return cls(tuple(spans), world_size)

    @cached_property
    def numel(self) -> int:
        return sum(span.numel for span in self.spans)

    @cached_property
    def shard_numel(self) -> int:
        each = -(-self.numel // self.world_size)
        return each if self.world_size == 1 else -(-each // ALIGNMENT) * ALIGNMENT

    @property
    def padded(self) -> int:
        return self.shard_numel * self.world_size

    def shard(self, rank: int) -> range:
        """Rank's elements of the padded buffer."""
        return range(rank * self.shard_numel, (rank + 1) * self.shard_numel)

    def pieces(self, rank: int) -> list[Piece]:
        """What of each parameter lies in rank's shard, in order; empty parts are left out."""
        shard = self.shard(rank)
        return [
            Piece(
                span.name,
                range(common.start - span.start, common.stop - span.start),
                common.start - shard.start,
            )
            for span in self.spans
            if (common := intersection(span.range, shard))
        ]


@dataclass(frozen=True, slots=True)
class Copy:
    """Elements `read` of stored interval number `source` go to `write` of the wanted one."""

    source: int
    read: slice
    write: slice


def even_part(length: int, rank: int, world_size: int) -> range:
    """Rank's of `world_size` contiguous parts whose sizes differ by one at most."""
    return range(length * rank // world_size, length * (rank + 1) // world_size)


def intersection(a: range, b: range) -> range:
    return range(max(a.start, b.start), max(a.start, b.start, min(a.stop, b.stop)))


def cover(stored: Sequence[range], wanted: range) -> list[Copy]:
    """The copies that fill `wanted`, each element once, from intervals that may overlap.

    Raises ValueError naming the first element that no interval holds.
    """
    copies: list[Copy] = []
    at = wanted.start
    for source in sorted(range(len(stored)), key=lambda i: stored[i].start):
        held = stored[source]
        if held.start > at or at >= wanted.stop:
            break
        common = intersection(held, range(at, wanted.stop))
        if common:
            copies.append(
                Copy(
                    source,
                    slice(common.start - held.start, common.stop - held.start),
                    slice(common.start - wanted.start, common.stop - wanted.start),
                )
            )
            at = common.stop
    if at < wanted.stop:
        raise ValueError(f"element {at} is stored nowhere")
    return copies


def assign_owners(sizes: Sequence[int], world_size: int) -> list[int]:
    """A rank for each whole item, the largest first to the least loaded (Graham, 1969)."""
    load = [0] * world_size
    owners = [0] * len(sizes)
    for item in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        rank = load.index(min(load))
        owners[item] = rank
        load[rank] += sizes[item]
    return owners


def buckets(items: Iterable[tuple[T, int]], limit: int) -> list[list[T]]:
    """Runs of consecutive items whose sizes add up to at most `limit`, or one larger item."""
    groups: list[list[T]] = []
    room = -1
    for item, size in items:
        if size > room or not groups:
            groups.append([])
            room = limit
        groups[-1].append(item)
        room -= size
    return groups
