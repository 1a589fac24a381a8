"""How bytes get from rank to rank: one small interface, an implementation per kind of link.

Every operation is called by all ranks of the group in the same order.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from raylm.collectives.buffer import Buffer
from raylm.collectives.queue import Finish


class Transport(Protocol):
    """`is_blocking` operations have done their work when they return; the others return what
    has still to be called before their results may be used."""

    name: str
    rank: int
    world_size: int
    is_blocking: bool

    def allocate(self, numel: int, dtype: torch.dtype, device: torch.device) -> Buffer:
        """Zeros, of the same size on every rank."""
        ...

    def reduce_scatter(
        self, source: Buffer, out: Tensor, accumulate: bool, label: str
    ) -> Finish | None:
        """`out` (S elements) becomes, or grows by, the sum over ranks of part `rank` of their
        sources (N S elements); it may be that part of this rank's own source."""
        ...

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> Finish | None:
        """`out` (N S elements) becomes every rank's source (S elements) in rank order.

        `is_fenced`: no source has changed since the last fence, so nobody need be waited for.
        """
        ...

    def fence(self, label: str) -> None:
        """Returns when every rank has called it: what they wrote before is seen from then on."""
        ...

    def all_reduce(self, tensor: Tensor) -> None: ...

    def one_shot_all_reduce(self, tensor: Tensor) -> None:
        """The same for floats that somebody waits for: where ranks can read each other's memory
        each adds all parts, in rank order, and no thread of gloo's has to wake for it."""
        ...

    def broadcast(self, tensor: Tensor, root: int) -> None: ...

    def exchange(self, parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
        """Send `parts[r]` to rank r; what each rank sent, `counts[r]` elements from rank r."""
        ...

    def gather_objects(self, value: Any) -> list[Any]:
        """Each rank's small picklable value, in rank order."""
        ...

    def close(self) -> None: ...


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """Sums of 16-bit numbers are taken in float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


_BLOCK = 2**17  # elements: half a megabyte of float32 stays in the second-level cache


def sum_into(out: Tensor, parts: Sequence[Tensor], accumulate: bool) -> None:
    """out = (out if accumulate) + parts[0] + parts[1] + ..., added in rank order.

    `out` may share memory with any of the parts. The order is the same whatever the transport,
    and so are the results, bit by bit.
    """
    if out.dtype == accumulator(out.dtype) and all(part.dtype == out.dtype for part in parts):
        _sum_exactly(out, parts, accumulate)
        return
    for start in range(0, out.numel(), _BLOCK):
        place = slice(start, start + _BLOCK)
        total = parts[0][place].to(accumulator(out.dtype), copy=True)
        for part in parts[1:]:
            total += part[place]
        out[place].copy_(out[place] + total if accumulate else total)


def _sum_exactly(out: Tensor, parts: Sequence[Tensor], accumulate: bool) -> None:
    for start in range(0, out.numel(), _BLOCK):
        place = slice(start, start + _BLOCK)
        target = out[place]
        first, *others = [part[place] for part in parts]
        if accumulate:
            for part in others:
                first = first + part
            target += first
        elif not others:
            target.copy_(first)
        elif len(others) == 1:
            torch.add(first, others[0], out=target)
        else:
            total = first + others[0]
            for part in others[1:-1]:
                total += part
            torch.add(total, others[-1], out=target)
