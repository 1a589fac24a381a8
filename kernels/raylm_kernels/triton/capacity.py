"""What the GPU of a tensor has room for. One that is not there is taken for an H100."""

from dataclasses import dataclass
from functools import cache

import torch
import triton
from torch import Tensor

from raylm_kernels.triton.launched import IS_INTERPRETED


@dataclass(frozen=True, slots=True)
class Gpu:
    """`is_hopper`: it has TMA, and for a program 227 KiB of shared memory, not 99."""

    is_hopper: bool
    processors: int


H100 = Gpu(is_hopper=True, processors=132)


def gpu_of(x: Tensor) -> Gpu:
    """The one that x may be computed on."""
    return _gpu(x.device) if x.is_cuda else H100


@cache
def _gpu(device: torch.device) -> Gpu:
    found = torch.cuda.get_device_properties(device)
    return Gpu(found.major >= 9, found.multi_processor_count)


def programs_at_once(x: Tensor) -> int:
    """Of a kernel whose programs take tiles in turns: one for each multiprocessor, and interpreted
    one alone, so that it has several tiles."""
    return 1 if IS_INTERPRETED else gpu_of(x).processors


def targets_hopper() -> bool:
    """Whether the GPU that is compiled for is one, and not the interpreter."""
    if IS_INTERPRETED:
        return False
    target = triton.runtime.driver.active.get_current_target()
    return bool(target.backend == "cuda" and target.arch >= 90)
