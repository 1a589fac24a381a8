"""Products x W^T, as the ops with a linear layer in them share: their loops and sizes.

A row of x against a weight is bound by the weight's bytes (`product` with BLOCK_M 1: no tensor
core), a few rows too (BLOCK_M 16), many by the tensor cores (`described_product`, through TMA).
"""

from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from raylm_kernels.triton.capacity import Gpu


@triton.jit
def product(
    x_ptrs,
    w_ptrs,
    x_seen,
    w_seen,
    K,
    BLOCK_K: tl.constexpr,
    EVEN_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Rows of x, whose starts are `x_ptrs`, times rows of a weight, in fp32."""
    BLOCK_M: tl.constexpr = x_ptrs.shape[0]
    BLOCK_N: tl.constexpr = w_ptrs.shape[0]
    depth = tl.arange(0, BLOCK_K)
    x_ptrs = x_ptrs[:, None] + depth[None, :]
    w_ptrs = w_ptrs[:, None] + depth[None, :]
    acc = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    partial = tl.zeros([BLOCK_N, BLOCK_K if BLOCK_M == 1 else 1], tl.float32)
    for start in range(0, K, BLOCK_K):
        x_inside, w_inside = x_seen[:, None], w_seen[:, None]
        if not EVEN_K:
            x_inside &= depth[None, :] < K - start
            w_inside &= depth[None, :] < K - start
        x = tl.load(x_ptrs, x_inside, other=0.0)
        w = tl.load(w_ptrs, w_inside, other=0.0)
        if BLOCK_M == 1:
            partial += x.to(tl.float32) * w.to(tl.float32)
        else:
            acc = tl.dot(x, w.T, acc, input_precision=PRECISION)
        x_ptrs += BLOCK_K
        w_ptrs += BLOCK_K
    return tl.sum(partial, 1)[None, :] if BLOCK_M == 1 else acc


@triton.jit
def described_product(
    x,
    w,
    row,
    column,
    K,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The same of tensor descriptors, which read zeros beyond the edges."""
    acc = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
    for start in range(0, K, BLOCK_K):
        acc = tl.dot(
            x.load([row, start]), w.load([column, start]).T, acc, input_precision=PRECISION
        )
    return acc


@triton.jit
def halves(acc):
    """The left and the right half of the columns."""
    BLOCK_M: tl.constexpr = acc.shape[0]
    BLOCK_N: tl.constexpr = acc.shape[1]
    return acc.reshape(BLOCK_M, 2, BLOCK_N // 2).permute(0, 2, 1).split()


@dataclass(frozen=True, slots=True)
class Tiling:
    """`columns` counts those of all weights that a program multiplies by."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int

    def meta(self) -> dict[str, int]:
        return {
            "BLOCK_M": self.rows,
            "BLOCK_N": self.columns,
            "BLOCK_K": self.depth,
            "num_warps": self.warps,
            "num_stages": self.stages,
        }


@cache
def tiling(M: int, N: int, dtype: torch.dtype, gpu: Gpu) -> Tiling:
    """Of a product of M x N results."""
    if dtype == torch.float32:
        return _rough_tiling(M)
    if M == 1:  # all programs at once, or so many that the last ones do not count
        return Tiling(1, 16, 512, warps=4, stages=2) if N < 8192 else Tiling(1, 8, 1024, 4, 2)
    if M <= 16:  # few columns a program, and x is read too often
        return Tiling(16, 32, 256, warps=4, stages=5) if N < 8192 else Tiling(16, 64, 128, 4, 5)
    if M <= 64:
        return Tiling(power_of_2(M), 64, 128, warps=4, stages=3)
    if not gpu.is_hopper:
        return Tiling(128, 128, 32, warps=4, stages=4)
    if M <= 128 or cdiv(M, 128) * cdiv(N, 256) < gpu.processors:
        return Tiling(128, 128, 64, warps=4, stages=4)
    return Tiling(128, 256, 64, warps=8, stages=4)


def _rough_tiling(M: int) -> Tiling:
    """fp32's, whose products do without tensor cores unless TF32 is allowed."""
    if M == 1:
        return Tiling(1, 16, 256, warps=4, stages=2)
    if M <= 16:
        return Tiling(16, 32, 64, warps=4, stages=3)
    return Tiling(64, 64, 32, warps=4, stages=3)


def cdiv(a: int, b: int) -> int:
    """Without the microseconds that triton's takes of every launch."""
    return -(-a // b)


def power_of_2(size: int) -> int:
    """At or above size."""
    return 1 << (size - 1).bit_length()


def rows_of(x: Tensor) -> Tensor:
    """All but the last dimension as one; what lies beside each other in a row is beside it."""
    if x.ndim != 2:
        x = x.reshape(-1, x.shape[-1])
    return x if x.stride(1) == 1 else x.contiguous()


def contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()


def describes(*matrices: Tensor) -> bool:
    """Whether TMA can read and write them."""
    return all(
        t.data_ptr() % 16 == 0
        and t.stride(0) * t.element_size() % 16 == 0
        and t.stride(0) >= t.shape[1]
        and t.stride(1) == 1
        for t in matrices
    )


def described(matrix: Tensor, rows: int, columns: int) -> TensorDescriptor:
    """In blocks of rows x columns."""
    shape, strides = list(matrix.shape), list(matrix.stride())
    return TensorDescriptor(matrix, shape, strides, [rows, columns])
