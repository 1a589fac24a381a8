"""Sums over inputs that are split among programs, where outputs alone keep too few busy."""

import triton
import triton.language as tl
from torch import Tensor

_PROGRAMS = 3 * 132  # that an H100 or H200 takes at once
_BLOCK = 512


@triton.jit
def add_splits_kernel(parts_ptr, y_ptr, size, SPLITS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = tl.zeros((BLOCK,), tl.float32)
    for split in tl.static_range(SPLITS):
        y += tl.load(parts_ptr + split * size + at, at < size, 0.0)
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), at < size)


def splits_of(programs: int, steps: int) -> int:
    """Into how many to split so many steps that each of so many programs takes (pure)."""
    return max(1, min(round(_PROGRAMS / programs), steps // 8, 8))


def add_splits(parts: Tensor, y: Tensor) -> Tensor:
    """The sum of parts_SMN, in this order always, into y."""
    size = y.numel()
    add_splits_kernel[(triton.cdiv(size, _BLOCK),)](
        parts, y, size, SPLITS=parts.shape[0], BLOCK=_BLOCK, num_warps=4
    )
    return y
