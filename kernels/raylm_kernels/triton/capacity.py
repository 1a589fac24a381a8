"""What the GPU of a tensor has room for. One that is not there is taken for an H100."""

import torch
from torch import Tensor


def is_large(x: Tensor) -> bool:
    """Whether a program may hold more than 99 KiB in shared memory, as from 9.0 on."""
    return not x.is_cuda or torch.cuda.get_device_capability(x.device) >= (9, 0)


def processors(x: Tensor) -> int:
    return torch.cuda.get_device_properties(x.device).multi_processor_count if x.is_cuda else 132
