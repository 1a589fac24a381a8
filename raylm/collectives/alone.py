"""The collectives of a world of one: copies at most."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from raylm.collectives.buffer import Buffer
from raylm.collectives.transport import sum_into


class AloneTransport:
    name = "alone"
    rank = 0
    world_size = 1
    is_blocking = True

    def allocate(self, numel: int, dtype: torch.dtype, device: torch.device) -> Buffer:
        return Buffer(torch.zeros(numel, dtype=dtype, device=device))

    def reduce_scatter(self, source: Buffer, out: Tensor, accumulate: bool, label: str) -> None:
        if accumulate or out.data_ptr() != source.local.data_ptr():
            sum_into(out, [source.local], accumulate)

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> None:
        if out.data_ptr() != source.local.data_ptr():
            out.copy_(source.local)

    def all_reduce(self, tensor: Tensor) -> None: ...

    def one_shot_all_reduce(self, tensor: Tensor) -> None: ...

    def broadcast(self, tensor: Tensor, root: int) -> None: ...

    def exchange(self, parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
        return list(parts)

    def gather_objects(self, value: Any) -> list[Any]:
        return [value]

    def fence(self, label: str) -> None: ...

    def close(self) -> None: ...
