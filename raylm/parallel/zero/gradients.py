"""One flat buffer's gradients: collected as autograd makes them, summed over the ranks.

Whole (stages 0 and 1): they add up in a buffer of the flat's size, whose own part becomes the
sum over the ranks in place. Sharded (stages 2 and 3): the tensors that autograd made are kept
until the unit is complete, then pass through a small staging buffer, and only this rank's
shard of their sum stays.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from raylm.collectives.communicator import Communicator
from raylm.collectives.queue import Handle
from raylm.parallel.zero.flat import Flat
from raylm.parallel.zero.staging import Staging


class Gradients(Protocol):
    """`used` says which parameters got a gradient here since the last `clear`."""

    flat: Flat
    used: list[bool]

    @property
    def owned(self) -> Tensor:
        """The part of the sum this rank updates with."""
        ...

    @property
    def shard(self) -> Tensor:
        """The rank's part when each element counts once over the ranks."""
        ...

    @property
    def held_bytes(self) -> int: ...

    @property
    def is_reduced(self) -> bool:
        """Nothing here still waits to be summed over the ranks."""
        ...

    @property
    def is_read_by_peers(self) -> bool:
        """Whether adding must wait until all ranks are past the sum that was made."""
        ...

    def add(self, index: int, gradient: Tensor) -> None:
        """Of the parameter number `index`; the tensor belongs to this object from now on."""
        ...

    def reduce(self) -> list[Handle]:
        """Sum what was added since the last time over the ranks, into the shard."""
        ...

    def restore(self, shard: Tensor, used: Sequence[bool]) -> None:
        """Go on from a sum over the ranks that was saved."""
        ...

    def clear(self) -> None: ...


class WholeGradients:
    def __init__(self, flat: Flat, communicator: Communicator, dtype: torch.dtype) -> None:
        self.flat = flat
        self.used = [False] * len(flat.parameters)
        self.is_reduced = True
        self._filled = list(self.used)  # the others' places hold remains of an earlier step
        self._communicator = communicator
        self._buffer = communicator.allocate(flat.layout.padded, dtype, flat.full.device)
        self._own = self._buffer.shards(communicator.rank, communicator.world_size)

    @property
    def owned(self) -> Tensor:
        return self._buffer.local if self.flat.is_replicated else self._own.local

    @property
    def shard(self) -> Tensor:
        return self._own.local

    @property
    def held_bytes(self) -> int:
        return self._buffer.local.nbytes

    @property
    def is_read_by_peers(self) -> bool:
        return self.is_reduced and any(self._filled)

    @torch.no_grad()
    def add(self, index: int, gradient: Tensor) -> None:
        if self.is_reduced and any(self._filled):
            self._count_sum_once()
        self.is_reduced = False
        if self._filled[index]:
            self._place(index).add_(gradient.flatten())
        else:
            self._place(index).copy_(gradient.flatten())
        self.used[index] = self._filled[index] = True

    def reduce(self) -> list[Handle]:
        if self.is_reduced and any(self._filled):
            self._count_sum_once()
        for index, is_filled in enumerate(self._filled):
            if not is_filled:
                self._place(index).zero_()
        self._filled = [True] * len(self._filled)
        self.is_reduced = True
        label, communicator = self.flat.label, self._communicator
        handles = [communicator.reduce_scatter(self._buffer, self._own.local, label)]
        if self.flat.is_replicated:
            handles.append(communicator.all_gather(self._own, self._buffer.local, label))
        return handles

    def restore(self, shard: Tensor, used: Sequence[bool]) -> None:
        self._own.local.copy_(shard)
        self.used = list(used)
        self._filled = [True] * len(self._filled)
        self.is_reduced = True
        self._count_sum_once()

    def clear(self) -> None:
        self.used = [False] * len(self.used)
        self._filled = list(self.used)
        self.is_reduced = True

    def _count_sum_once(self) -> None:
        """Adding goes on after a sum over the ranks: it stays on the rank that owns it alone."""
        own = self.flat.shard_range
        self._buffer.local[: own.start].zero_()
        self._buffer.local[own.stop :].zero_()

    def _place(self, index: int) -> Tensor:
        span = self.flat.layout.spans[index]
        return self._buffer.local[span.start : span.start + span.numel]


class ShardedGradients:
    def __init__(
        self, flat: Flat, communicator: Communicator, dtype: torch.dtype, staging: Staging
    ) -> None:
        self.flat = flat
        self.used = [False] * len(flat.parameters)
        self._staging = staging
        self._waiting: list[Tensor | None] = [None] * len(self.used)
        self._has_sum = False
        self._shard = torch.zeros(flat.layout.shard_numel, dtype=dtype, device=flat.full.device)

    @property
    def owned(self) -> Tensor:
        return self._shard

    @property
    def shard(self) -> Tensor:
        return self._shard

    @property
    def held_bytes(self) -> int:
        waiting = sum(tensor.nbytes for tensor in self._waiting if tensor is not None)
        return self._shard.nbytes + waiting

    @property
    def is_reduced(self) -> bool:
        return all(tensor is None for tensor in self._waiting)

    @property
    def is_read_by_peers(self) -> bool:
        return False

    @torch.no_grad()
    def add(self, index: int, gradient: Tensor) -> None:
        held = self._waiting[index]
        self._waiting[index] = gradient if held is None else held.add_(gradient)
        self.used[index] = True

    def reduce(self) -> list[Handle]:
        tensors, self._waiting = self._waiting, [None] * len(self.used)
        accumulate, self._has_sum = self._has_sum, True
        return self._staging.reduce_scatter(
            self.flat.layout, tensors, self._shard, self.flat.label, accumulate
        )

    def restore(self, shard: Tensor, used: Sequence[bool]) -> None:
        self._shard.copy_(shard)
        self._has_sum = True
        self.used = list(used)

    def clear(self) -> None:
        self.used = [False] * len(self.used)
        self._waiting = [None] * len(self.used)
        self._has_sum = False
