"""Backend: how the process group of an epoch is formed, given up from outside, and taken apart."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
from torch.distributed import Store  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import _abort_process_group

_OPEN_FILES = Path("/proc/self/fd")


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
    """gloo has no abort that frees a caller; the end of its connections does."""

    _name = "gloo"

    def __init__(self) -> None:
        self._connections: frozenset[str] = frozenset()

    def form(self, store: Store, rank: int, world_size: int, timeout_s: float) -> None:
        before = {name for name, _ in _sockets()}
        timeout = timedelta(seconds=timeout_s)
        dist.init_process_group(
            self._name, store=store, rank=rank, world_size=world_size, timeout=timeout
        )
        self._connections = frozenset(name for name, _ in _sockets() if name not in before)

    def abort(self) -> None:
        for name, number in _sockets():
            if name in self._connections:
                _shut_down(number)

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


def _sockets() -> Iterator[tuple[str, int]]:
    """Of this process: a name that no other socket ever has, and the number of its open file."""
    for file in _OPEN_FILES.iterdir() if _OPEN_FILES.is_dir() else ():
        with suppress(OSError):  # it has just been closed
            name = str(file.readlink())
            if name.startswith("socket:"):
                yield name, int(file.name)


def _shut_down(number: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as shared:
        shared.getpeername()  # fails for one that listens, which gloo would not survive
        shared.shutdown(socket.SHUT_RDWR)
