"""Backend: how the process group of an epoch is formed, given up from outside, and taken apart."""

import os
from datetime import timedelta
from typing import Protocol

import torch
import torch.distributed as dist
from torch.distributed import Store  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import _abort_process_group

from raylm.collectives import connections


class Backend(Protocol):
    """One group at a time, of one epoch."""

    def form(self, store: Store, rank: int, world_size: int, timeout_s: float) -> None:
        """Returns when all have come."""

    def abort(self) -> None:
        """Whoever is in a collective comes out of it, with an error. Called on another thread
        than the one that is stuck in it."""

    def destroy(self) -> None:
        """Also after an abort, and where nothing is formed."""


class GlooBackend:
    _name = "gloo"

    def form(self, store: Store, rank: int, world_size: int, timeout_s: float) -> None:
        timeout = timedelta(seconds=timeout_s)
        with connections.opening():
            dist.init_process_group(
                self._name, store=store, rank=rank, world_size=world_size, timeout=timeout
            )

    def abort(self) -> None:
        connections.end()

    def destroy(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()


class NcclBackend(GlooBackend):
    """NCCL for a GPU's tensors, gloo beside it for the host's."""

    _name = "cpu:gloo,cuda:nccl"

    def form(self, store: Store, rank: int, world_size: int, timeout_s: float) -> None:
        # NCCL's own watchdog would end the process; the group has heartbeats instead.
        os.environ.setdefault("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0")
        super().form(store, rank, world_size, timeout_s)

    def abort(self) -> None:
        super().abort()
        if dist.is_initialized():
            _abort_process_group()


def backend_for(device: torch.device) -> Backend:
    return NcclBackend() if device.type == "cuda" else GlooBackend()
