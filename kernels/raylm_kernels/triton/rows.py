"""Rows: tensors by their last dimension."""

from torch import Tensor


def as_rows(x: Tensor) -> Tensor:
    """N x W with adjacent elements, a view where the strides allow it."""
    rows = x.reshape(-1, x.shape[-1])
    return rows if rows.stride(1) == 1 else rows.contiguous()


def as_equal_rows(*tensors: Tensor) -> list[Tensor]:
    """Tensors of one shape as rows, longer ones where all are contiguous."""
    if all(tensor.is_contiguous() for tensor in tensors):
        return [tensor.reshape(1, -1) for tensor in tensors]
    return [as_rows(tensor) for tensor in tensors]
