"""Which transport suits a group: memory of one host, sockets between hosts, NCCL on GPUs."""

import os
import warnings
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store, _world

from raylm.collectives import connections
from raylm.collectives.alone import AloneTransport
from raylm.collectives.communicator import Communicator
from raylm.collectives.meeting import meet
from raylm.collectives.mesh import Mesh
from raylm.collectives.process_group import GlooTransport, NcclTransport
from raylm.collectives.shared_memory import SharedMemoryTransport
from raylm.collectives.transport import Transport
from raylm.collectives.watch import Watch
from raylm.core.errors import CollectiveError

Link = Literal["auto", "shared memory", "gloo", "nccl"]
_GRACE_S = 5.0  # the watch knows what every rank is at, so it speaks before a transport does


def connect(device: torch.device, *, timeout_s: float = 120.0, link: Link = "auto") -> Communicator:
    """A communicator over a group of its own with every rank of the default group.

    Alone where no group is formed. `link` forces a transport, for measurements; "auto" takes
    shared memory when all ranks run on one host, and warns once when that cannot be had.
    """
    if (group := _new_group(timeout_s + _GRACE_S)) is None:
        return Communicator(AloneTransport())
    communicator = Communicator(_transport(group, device, timeout_s + _GRACE_S, link))
    if communicator.queue is not None:
        communicator.watch = Watch(
            communicator.recorder,
            PrefixStore(f"raylm-collectives/{group.group_name}", _get_default_store()),
            communicator.rank,
            communicator.world_size,
            timeout_s,
            communicator.queue.fail,
        )
    return communicator


def open_transport(
    device: torch.device,
    *,
    timeout_s: float,
    link: Link = "auto",
    parts: Sequence[Sequence[int]] | None = None,
) -> Transport:
    """Over a group of its own too, unwatched: for work beside the computation. With `parts`, which
    divide the ranks among them, over the part that this rank is in."""
    group = _new_group(timeout_s, parts)
    return AloneTransport() if group is None else _transport(group, device, timeout_s, link)


def _new_group(
    timeout_s: float, parts: Sequence[Sequence[int]] | None = None
) -> dist.ProcessGroup | None:
    """None where a rank would be alone in it."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return None
    store = _get_default_store()
    meet(store, f"group {_world.group_count}", dist.get_rank(), dist.get_world_size(), timeout_s)
    group: dist.ProcessGroup | None = None
    with connections.opening():
        for part in parts or [range(dist.get_world_size())]:
            made = dist.new_group(list(part), timeout=timedelta(seconds=timeout_s))
            if dist.get_rank() in part and len(part) > 1:
                group = made
    return group


def _transport(
    group: dist.ProcessGroup, device: torch.device, timeout_s: float, link: Link
) -> Transport:
    if device.type == "cuda":
        return NcclTransport(group)
    if link == "gloo":
        return GlooTransport(group)

    def gather(value: Any) -> Sequence[Any]:
        values = [None] * dist.get_world_size(group)
        dist.all_gather_object(values, value, group=group)
        return values

    if len(set(gather(_host()))) > 1:
        if link == "shared memory":
            raise CollectiveError("shared memory was asked for, but the ranks are on several hosts")
        return GlooTransport(group)
    mesh: Mesh | None = None
    fault = ""
    try:
        mesh = Mesh.join(dist.get_rank(group), dist.get_world_size(group), gather, timeout_s)
        SharedMemoryTransport(group, mesh).allocate(1, torch.uint8, device)
    except (OSError, CollectiveError) as error:
        fault = str(error)
    faults = [f"rank {rank}: {text}" for rank, text in enumerate(gather(fault)) if text]
    if mesh is not None and not faults:
        return SharedMemoryTransport(group, mesh)
    if mesh is not None:
        mesh.close()
    why = "; ".join(faults)
    warnings.warn(f"no shared memory between the ranks ({why}); using gloo", stacklevel=3)
    return GlooTransport(group)


def _host() -> str:
    """Equal where processes can pass each other open files: one kernel, one network namespace."""
    if not hasattr(os, "memfd_create"):
        return f"no memfd_create, pid {os.getpid()}"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/net').stat().st_ino}"
