"""Bytes of a rank's training state, and the most it has ever used."""

import resource
import sys
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Memory:
    param_bytes: int
    grad_bytes: int
    optimizer_bytes: int
    peak_bytes: int
    replica_bytes: int


def peak_bytes(device: torch.device) -> int:
    """The device allocator's peak on a GPU, the process's resident peak on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
