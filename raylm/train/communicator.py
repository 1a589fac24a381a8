"""Collectives over the default torch.distributed group, with the bytes they send counted.

Alone (no group formed) every operation returns its input and sends nothing, so that the same
code trains in one process, under torchrun and in actors.
"""

import torch.distributed as dist
from torch import Tensor


class Communicator:
    """`bytes_sent` counts what a ring algorithm sends from this rank."""

    def __init__(self) -> None:
        joined = dist.is_available() and dist.is_initialized()
        self.rank: int = dist.get_rank() if joined else 0
        self.world_size: int = dist.get_world_size() if joined else 1
        self.bytes_sent = 0

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum over the ranks, in place."""
        if (work := self.start_all_reduce(tensor)) is not None:
            work.wait()

    def start_all_reduce(self, tensor: Tensor) -> dist.Work | None:
        """The handle to wait for; None when there is nobody to talk to."""
        if self.world_size == 1:
            return None
        self.bytes_sent += 2 * (self.world_size - 1) * tensor.nbytes // self.world_size
        work: dist.Work | None = dist.all_reduce(tensor, async_op=True)
        return work

    def broadcast(self, tensor: Tensor) -> None:
        """Rank 0's values to everyone, in place."""
        if self.world_size > 1:
            if self.rank == 0:
                self.bytes_sent += tensor.nbytes
            dist.broadcast(tensor, 0)
