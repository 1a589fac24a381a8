"""Collectives over a torch.distributed group: gloo between hosts, NCCL between GPUs.

gloo's own reduce-scatter sends as many bytes as an all-reduce. An all-to-all and a local sum
send half of that, and add 16-bit numbers in float32.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from raylm.collectives.buffer import Buffer
from raylm.collectives.queue import Finish
from raylm.collectives.transport import sum_into

# Renamed in torch 2.13.
_all_gather: Any = getattr(dist, "all_gather_single", dist.all_gather_into_tensor)
_reduce_scatter: Any = getattr(dist, "reduce_scatter_single", dist.reduce_scatter_tensor)


class _GroupTransport:
    def __init__(self, group: dist.ProcessGroup) -> None:
        self.group = group
        self.rank = dist.get_rank(group)
        self.world_size = dist.get_world_size(group)

    def allocate(self, numel: int, dtype: torch.dtype, device: torch.device) -> Buffer:
        return Buffer(torch.zeros(numel, dtype=dtype, device=device))

    def all_reduce(self, tensor: Tensor) -> None:
        dist.all_reduce(tensor, group=self.group)

    def one_shot_all_reduce(self, tensor: Tensor) -> None:
        self.all_reduce(tensor)

    def broadcast(self, tensor: Tensor, root: int) -> None:
        dist.broadcast(tensor, group_src=root, group=self.group)

    def exchange(self, parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
        received = parts[0].new_empty(sum(counts))
        sizes = [part.numel() for part in parts]
        dist.all_to_all_single(received, torch.cat(list(parts)), list(counts), sizes, self.group)
        return list(torch.split(received, list(counts)))

    def gather_objects(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value, group=self.group)
        return values

    def fence(self, label: str) -> None:
        """Nothing: data arrives with the collective that sends it."""

    def close(self) -> None:
        """Letting go of the group joins torch's threads: one that lets go of a tensor while the
        interpreter ends would abort it."""
        if dist.is_initialized():
            dist.destroy_process_group(self.group)
        del self.group


class GlooTransport(_GroupTransport):
    name = "gloo"
    is_blocking = True

    def reduce_scatter(self, source: Buffer, out: Tensor, accumulate: bool, label: str) -> None:
        received = torch.empty_like(source.local)
        dist.all_to_all_single(received, source.local, group=self.group)
        sum_into(out, received.chunk(self.world_size), accumulate)

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> None:
        _all_gather(out, source.local, group=self.group)


class NcclTransport(_GroupTransport):
    """Runs on NCCL's own stream; waiting makes the current stream wait, not the host."""

    name = "nccl"
    is_blocking = False

    def reduce_scatter(
        self, source: Buffer, out: Tensor, accumulate: bool, label: str
    ) -> Finish | None:
        target = torch.empty_like(out) if accumulate else out
        work = _reduce_scatter(target, source.local, group=self.group, async_op=True)

        def finish() -> None:
            work.wait()
            if accumulate:
                out.add_(target)

        return finish

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> Finish | None:
        work = _all_gather(out, source.local, group=self.group, async_op=True)
        finish: Finish = work.wait
        return finish
