"""Normalisation of rows: one pass over rows that fit into the registers of a program, two or three
over longer ones, of which so few are under way that the later passes find them in the L2 cache."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import norm
from raylm_kernels.triton.capacity import programs_at_once
from raylm_kernels.triton.launched import REAL, launched
from raylm_kernels.triton.rows import as_rows

LONGEST = 16_384
"""Elements of a row that a program holds."""


@triton.jit
def summed(
    x_ptr,
    residual_ptr,
    x_at,
    residual_at,
    inside,
    dtype: tl.constexpr,
    EVICTION: tl.constexpr,
):
    """x, or x and the residual as their sum is kept."""
    x = tl.load(x_ptr + x_at, inside, 0.0, eviction_policy=EVICTION).to(tl.float32)
    if residual_ptr is not None:
        at = residual_ptr + residual_at
        x += tl.load(at, inside, 0.0, eviction_policy=EVICTION).to(tl.float32)
        x = x.to(dtype).to(tl.float32)
    return x


@triton.jit
def normed(x, inside, width, eps, IS_CENTRED: tl.constexpr):
    """x, less its mean where it is centred, in units of its root mean square."""
    if IS_CENTRED:
        x = tl.where(inside, x - tl.sum(x, 1, keep_dims=True) / width, 0.0)
    return x * tl.rsqrt(tl.sum(x * x, 1, keep_dims=True) / width + eps)


@triton.jit
def moments(
    x_ptr,
    residual_ptr,
    width,
    eps,
    dtype: tl.constexpr,
    IS_CENTRED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The mean of a long row where it is to be centred, and the factor that norms it."""
    mean = 0.0
    if IS_CENTRED:
        total = tl.zeros([BLOCK], tl.float32)
        for start in tl.range(0, width, BLOCK):
            column = start + tl.arange(0, BLOCK)
            total += summed(x_ptr, residual_ptr, column, column, column < width, dtype, "")
        mean = tl.sum(total, 0) / width
    squares = tl.zeros([BLOCK], tl.float32)
    for start in tl.range(0, width, BLOCK):
        column = start + tl.arange(0, BLOCK)
        x = summed(x_ptr, residual_ptr, column, column, column < width, dtype, "")
        if IS_CENTRED:
            x = tl.where(column < width, x - mean, 0.0)
        squares += x * x
    return mean, tl.rsqrt(tl.sum(squares, 0) / width + eps)


@triton.jit
def norm_kernel(
    x_ptr,
    residual_ptr,
    weight_ptr,
    bias_ptr,
    y_ptr,
    total_ptr,
    rows,
    width,
    x_stride,
    residual_stride,
    eps,
    IS_CENTRED: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, BLOCK)[None, :]
    inside = (row < rows) & (column < width)
    dtype: tl.constexpr = y_ptr.dtype.element_ty
    x_at, residual_at = row * x_stride + column, row * residual_stride + column
    x = summed(x_ptr, residual_ptr, x_at, residual_at, inside, dtype, "")
    if total_ptr is not None:
        tl.store(total_ptr + row * width + column, x.to(dtype), inside)
    y = normed(x, inside, width, eps, IS_CENTRED)
    y *= tl.load(weight_ptr + column, column < width).to(tl.float32)
    if bias_ptr is not None:
        y += tl.load(bias_ptr + column, column < width).to(tl.float32)
    tl.store(y_ptr + row * width + column, y.to(dtype), inside)


@triton.jit
def long_norm_kernel(
    x_ptr,
    residual_ptr,
    weight_ptr,
    bias_ptr,
    y_ptr,
    total_ptr,
    rows,
    width,
    x_stride,
    residual_stride,
    eps,
    IS_CENTRED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    first = tl.program_id(0).to(tl.int64)
    dtype: tl.constexpr = y_ptr.dtype.element_ty
    for start_row in tl.range(0, rows - tl.program_id(0), tl.num_programs(0)):
        row = first + start_row
        x_row = x_ptr + row * x_stride
        residual_row = residual_ptr
        if residual_ptr is not None:
            residual_row += row * residual_stride
        mean, scale = moments(x_row, residual_row, width, eps, dtype, IS_CENTRED, BLOCK)
        for start in tl.range(0, width, BLOCK):
            column = start + tl.arange(0, BLOCK)
            inside = column < width
            x = summed(x_row, residual_row, column, column, inside, dtype, "evict_first")
            at = row * width + column
            if total_ptr is not None:
                tl.store(total_ptr + at, x.to(dtype), inside, eviction_policy="evict_first")
            y = (x - mean) * scale * tl.load(weight_ptr + column, inside).to(tl.float32)
            if bias_ptr is not None:
                y += tl.load(bias_ptr + column, inside).to(tl.float32)
            tl.store(y_ptr + at, y.to(dtype), inside, eviction_policy="evict_first")


@launched(norm.rms_norm, lambda x, weight, eps: x.numel() > 0)
def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return _norm(x, None, weight, None, eps, is_centred=False)[0]


@launched(
    norm.add_rms_norm,
    lambda x, residual, weight, eps: x.numel() > 0 and residual.dtype in REAL,
)
def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _norm(x, residual, weight, None, eps, is_centred=False)


@launched(norm.layer_norm, lambda x, weight, bias, eps: x.numel() > 0)
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> Tensor:
    return _norm(x, None, weight, bias, eps, is_centred=True)[0]


def tile(width: int) -> tuple[int, int, int]:
    """Rows of a program, their length and the warps: 32 elements a thread."""
    block = triton.next_power_of_2(width)
    rows = max(1, 2048 // block)
    return rows, block, min(16, max(2, rows * block // 1024))


def _norm(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    eps: float,
    *,
    is_centred: bool,
) -> tuple[Tensor, Tensor]:
    """The normalised sum of x and the residual, and the sum."""
    shape, dtype = x.shape, x.dtype
    x = as_rows(x)
    if residual is not None:
        residual, dtype = as_rows(residual), torch.promote_types(dtype, residual.dtype)
    y = torch.empty(shape, dtype=dtype, device=x.device)
    total = None if residual is None else torch.empty_like(y)
    args = (
        *(x, residual, weight.contiguous(), None if bias is None else bias.contiguous(), y, total),
        *(len(x), len(weight), x.stride(0), 0 if residual is None else residual.stride(0), eps),
        is_centred,
    )
    if len(weight) > LONGEST:
        programs = min(len(x), programs_at_once(x))
        long_norm_kernel[(programs,)](*args, BLOCK=LONGEST, num_warps=32)
    else:
        rows, block, warps = tile(len(weight))
        norm_kernel[(triton.cdiv(len(x), rows),)](*args, ROWS=rows, BLOCK=block, num_warps=warps)
    return y, x if total is None else total
