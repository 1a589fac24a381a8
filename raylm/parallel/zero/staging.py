"""The way of scattered tensors into a reduce-scatter: a bucket at a time, through two buffers.

A bucket holds the same columns of every rank's shard. When the ranks meet for one bucket, all
have finished reading the one before the last, whose buffer is then filled again.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from raylm.collectives.communicator import Communicator
from raylm.collectives.queue import Handle
from raylm.core.partition import FlatLayout, intersection


class Staging:
    def __init__(
        self,
        communicator: Communicator,
        bucket_bytes: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._communicator = communicator
        self._columns = max(1, bucket_bytes // dtype.itemsize // communicator.world_size)
        numel = self._columns * communicator.world_size
        self._buffers = [communicator.allocate(numel, dtype, device) for _ in range(2)]
        self._handles = [Handle.finished(), Handle.finished()]
        self._turn = 0

    @property
    def size_bytes(self) -> int:
        return sum(buffer.local.nbytes for buffer in self._buffers)

    def reduce_scatter(
        self,
        layout: FlatLayout,
        tensors: Sequence[Tensor | None],
        shard: Tensor,
        label: str,
        accumulate: bool,
    ) -> list[Handle]:
        """`shard` becomes, or grows by, this rank's part of the sum of the ranks' tensors, one
        per span of `layout`; None counts as zeros."""
        world_size = self._communicator.world_size
        handles = []
        for start in range(0, layout.shard_numel, self._columns):
            columns = range(start, min(start + self._columns, layout.shard_numel))
            self._turn = 1 - self._turn
            if not self._communicator.transport.is_blocking:
                self._handles[self._turn].wait()
            bucket = self._buffers[self._turn][: len(columns) * world_size]
            handle = self._communicator.reduce_scatter(
                bucket,
                shard[columns.start : columns.stop],
                label,
                accumulate,
                partial(fill, layout=layout, tensors=tensors, columns=columns),
            )
            self._handles[self._turn] = handle
            handles.append(handle)
        return handles


@torch.no_grad()
def fill(
    target: Tensor, layout: FlatLayout, tensors: Sequence[Tensor | None], columns: range
) -> None:
    """The columns of every shard, one shard after the other, from one tensor per span."""
    width = len(columns)
    for rank in range(layout.world_size):
        first = layout.shard(rank).start + columns.start
        wanted = range(first, first + width)
        row = target[rank * width : (rank + 1) * width]
        if wanted.stop > layout.numel:
            row.zero_()
        for span, tensor in zip(layout.spans, tensors, strict=True):
            if common := intersection(span.range, wanted):
                place = row[common.start - first : common.stop - first]
                if tensor is None:
                    place.zero_()
                else:
                    within = slice(common.start - span.start, common.stop - span.start)
                    place.copy_(tensor.reshape(-1)[within])
