"""Rows: tensors by their last dimension, and how many programs share them."""

from functools import cache

import torch
from torch import Tensor

from raylm_kernels.triton.launched import IS_INTERPRETED

_WITHOUT_GPU = 1 if IS_INTERPRETED else 132  # a program has several rows; as on an H100


def as_rows(x: Tensor) -> Tensor:
    """N x W with adjacent elements, a view where the strides allow it."""
    rows = x.reshape(-1, x.shape[-1])
    return rows if rows.stride(1) == 1 else rows.contiguous()


def as_equal_rows(*tensors: Tensor) -> list[Tensor]:
    """Tensors of one shape as rows, longer ones where all are contiguous."""
    if all(tensor.is_contiguous() for tensor in tensors):
        return [tensor.reshape(1, -1) for tensor in tensors]
    return [as_rows(tensor) for tensor in tensors]


def processors(x: Tensor) -> int:
    """The multiprocessors that x may be computed on."""
    return _processors(x.device) if x.is_cuda else _WITHOUT_GPU


@cache
def _processors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count
