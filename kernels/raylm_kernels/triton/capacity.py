"""What the GPU of a tensor has room for. One that is not there is taken for an H100."""

from functools import cache
from typing import Any

import torch
import triton
from torch import Tensor

from raylm_kernels.triton.launched import IS_INTERPRETED

_WITHOUT_GPU = 1 if IS_INTERPRETED else 132  # interpreted, so that a program has several tiles


def is_hopper(x: Tensor) -> bool:
    """Whether it has TMA, and for a program 227 KiB of shared memory, not 99."""
    return not x.is_cuda or _properties(x.device).major >= 9


def targets_hopper() -> bool:
    """The same of the GPU that is compiled for, and not of the interpreter."""
    if IS_INTERPRETED:
        return False
    target = triton.runtime.driver.active.get_current_target()
    return bool(target.backend == "cuda" and target.arch >= 90)


def processors(x: Tensor) -> int:
    """The multiprocessors that x may be computed on."""
    return _properties(x.device).multi_processor_count if x.is_cuda else _WITHOUT_GPU


@cache
def _properties(device: torch.device) -> Any:
    return torch.cuda.get_device_properties(device)
