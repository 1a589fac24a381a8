"""The number formats that references compute in."""

import torch
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """fp32, or fp64 where it is that already."""
    return x if x.dtype == torch.float64 else x.float()
