"""Sums over inputs that are split among programs, where outputs alone keep too few busy."""

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 512


@triton.jit
def add_splits_kernel(parts_ptr, y_ptr, size, SPLITS: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = tl.zeros((BLOCK,), tl.float32)
    for split in tl.static_range(SPLITS):
        y += tl.load(parts_ptr + split * size + at, at < size, 0.0)
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), at < size)


_MOST = 8
_LEAST_STEPS = 4
_AT_ONCE = 3  # programs of a multiprocessor


def splits_of(tiles: int, steps: int, processors: int) -> int:
    """Into how many to split so many steps that each of so many tiles takes: the fewest that keep
    all multiprocessors busy until the end, or nearly (pure)."""
    able = [splits for splits in range(1, _MOST + 1) if steps >= splits * _LEAST_STEPS] or [1]
    return max(able, key=lambda splits: (min(_busy(tiles * splits, processors), 0.95), -splits))


def _busy(programs: int, processors: int) -> float:
    """The part of the time that they are."""
    rounds = max(-(-programs // processors), _AT_ONCE)
    return programs / (rounds * processors)


def add_splits(parts: Tensor, y: Tensor) -> Tensor:
    """The sum of parts_SMN, in this order always, into y."""
    size = y.numel()
    add_splits_kernel[(triton.cdiv(size, _BLOCK),)](
        parts, y, size, SPLITS=parts.shape[0], BLOCK=_BLOCK, num_warps=4
    )
    return y
