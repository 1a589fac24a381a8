"""Collectives of ranks on one host, which read each other's memory instead of sending it.

Buffers lie in anonymous memory files (memfd_create) that every rank maps, so nothing is
limited by /dev/shm and nothing is left behind by a killed rank.
"""

import mmap
import os
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from raylm.collectives.buffer import Buffer
from raylm.collectives.mesh import Mesh
from raylm.collectives.process_group import GlooTransport
from raylm.collectives.transport import sum_into
from raylm.core.errors import CollectiveError

_ONE_SHOT_BYTES = 8 * 2**20  # larger ones would be read once too often


class SharedMemoryTransport:
    """Small and odd messages go over `group`."""

    name = "shared memory"
    is_blocking = True

    def __init__(self, group: dist.ProcessGroup, mesh: Mesh) -> None:
        self.rank = dist.get_rank(group)
        self.world_size = dist.get_world_size(group)
        self._gloo = GlooTransport(group)
        self._mesh = mesh
        self._sums: list[Buffer] = []  # two of them in turn: peers may still read the last one

    def allocate(self, numel: int, dtype: torch.dtype, device: torch.device) -> Buffer:
        size_bytes = max(1, numel) * dtype.itemsize
        self._mesh.meet(f"allocate of {size_bytes} bytes")
        descriptors = self._descriptors(size_bytes)
        maps = [_map(descriptors[r], size_bytes, numel, dtype) for r in range(self.world_size)]
        return Buffer(maps[self.rank], tuple(maps))

    def _descriptors(self, size_bytes: int) -> dict[int, int]:
        """Every rank's memory of that size. When one has none, nobody waits for it."""
        try:
            own = _memory_file(f"raylm-{self.rank}", size_bytes)
        except OSError:
            for descriptor in self._mesh.pass_descriptor(None).values():
                os.close(descriptor)
            raise
        descriptors = self._mesh.pass_descriptor(own) | {self.rank: own}
        missing = [rank for rank in range(self.world_size) if rank not in descriptors]
        if missing:
            for descriptor in descriptors.values():
                os.close(descriptor)
            raise CollectiveError(f"rank {missing[0]} could not allocate {size_bytes} bytes")
        return descriptors

    def reduce_scatter(self, source: Buffer, out: Tensor, accumulate: bool, label: str) -> None:
        self._mesh.meet(f"reduce_scatter of {label}, {source.local.numel()} elements")
        parts = [peer.chunk(self.world_size)[self.rank] for peer in source.peers]
        sum_into(out, parts, accumulate)

    def all_gather(self, source: Buffer, out: Tensor, is_fenced: bool, label: str) -> None:
        if not is_fenced:
            self._mesh.meet(f"all_gather of {label}, {out.numel()} elements")
        for target, peer in zip(out.chunk(self.world_size), source.peers, strict=True):
            if target.data_ptr() != peer.data_ptr():
                target.copy_(peer)

    def fence(self, label: str) -> None:
        self._mesh.meet(f"fence of {label}")

    def all_reduce(self, tensor: Tensor) -> None:
        self._gloo.all_reduce(tensor)

    def one_shot_all_reduce(self, tensor: Tensor) -> None:
        size_bytes = tensor.nbytes
        if size_bytes > _ONE_SHOT_BYTES or not (size_bytes and tensor.is_contiguous()):
            self._gloo.all_reduce(tensor)
            return
        source = self._next_sum(size_bytes)
        parts = [peer[:size_bytes].view(tensor.dtype) for peer in source.peers]
        parts[self.rank].copy_(tensor.view(-1))
        self._mesh.meet(f"one_shot_all_reduce of {tensor.numel()} elements")
        sum_into(tensor.view(-1), parts, accumulate=False)

    def broadcast(self, tensor: Tensor, root: int) -> None:
        self._gloo.broadcast(tensor, root)

    def exchange(self, parts: Sequence[Tensor], counts: Sequence[int]) -> list[Tensor]:
        return self._gloo.exchange(parts, counts)

    def gather_objects(self, value: Any) -> list[Any]:
        return self._gloo.gather_objects(value)

    def close(self) -> None:
        self._mesh.close()
        self._gloo.close()

    def _next_sum(self, size_bytes: int) -> Buffer:
        if not self._sums or self._sums[0].local.numel() < size_bytes:
            room, device = 1 << (size_bytes - 1).bit_length(), torch.device("cpu")
            with torch.inference_mode(False):  # they may be wanted outside of it, too
                self._sums = [self.allocate(room, torch.uint8, device) for _ in range(2)]
        self._sums.reverse()
        return self._sums[0]


def _memory_file(name: str, size_bytes: int) -> int:
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        os.ftruncate(descriptor, size_bytes)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _map(descriptor: int, size_bytes: int, numel: int, dtype: torch.dtype) -> Tensor:
    """The tensor keeps the mapping, and the mapping the memory, when the file is closed."""
    try:
        memory = mmap.mmap(descriptor, size_bytes)
    finally:
        os.close(descriptor)
    return (
        torch.frombuffer(memory, dtype=dtype, count=numel) if numel else torch.empty(0, dtype=dtype)
    )
