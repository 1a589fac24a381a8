"""A linear layer in whole numbers: x rounded to 8 bits per 32, weights of 8 or 4 bits."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import linear
from raylm_kernels.triton.capacity import Gpu, gpu_of
from raylm_kernels.triton.dequantize import planes_of
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.quantize import int8_codes
from raylm_kernels.triton.splits import add_splits, splits_of
from raylm_kernels.triton.tile_order import tile_of
from raylm_kernels.triton.weight_only_linear import dequantized


@triton.jit
def round_kernel(
    x_ptr, codes_ptr, scales_ptr, sums_ptr, M, GROUPS, HAS_SUMS: tl.constexpr, BLOCK: tl.constexpr
):
    """scales[G, M], and sums[G, M] of what the codes stand for."""
    group = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    at = group[:, None] * 32 + tl.arange(0, 32)[None, :]
    known = group < M * GROUPS
    x = tl.load(x_ptr + at, known[:, None], 0.0).to(tl.float32)
    codes, scales = int8_codes(x, 1)
    tl.store(codes_ptr + at, codes, known[:, None])
    by_row = (group % GROUPS * M + group // GROUPS)[:, None]
    tl.store(scales_ptr + by_row, scales, known[:, None])
    if HAS_SUMS:
        sums = tl.sum(codes.to(tl.float32), 1, keep_dims=True)
        tl.store(sums_ptr + by_row, sums * scales, known[:, None])


@triton.jit
def on_grid_kernel(x_ptr, rounded_ptr, groups, BLOCK: tl.constexpr):
    group = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    at = group[:, None] * 32 + tl.arange(0, 32)[None, :]
    known = group[:, None] < groups
    codes, scales = int8_codes(tl.load(x_ptr + at, known, 0.0).to(tl.float32), 1)
    rounded = codes.to(tl.float32) * scales
    tl.store(rounded_ptr + at, rounded.to(rounded_ptr.dtype.element_ty), known)


@triton.jit
def quantized_linear_kernel(
    x_ptr,
    x_scales_ptr,
    x_sums_ptr,
    codes_ptr,
    scales_ptr,
    minima_ptr,
    y_ptr,
    M,
    N,
    GROUPS,
    SPLIT_GROUPS,
    IS_WHOLE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    STAGES: tl.constexpr,
):
    """y[s, M, N] of split s over the groups. A group's products are summed in int32, exactly. The
    weight is the left factor, for a thread has few rows of a sum and many columns. The loop is told
    its stages, so that it fetches early what enters no product, too."""
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    split = tl.program_id(1)
    m, n = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, 32)
    x_at = x_ptr + m.to(tl.int64)[:, None] * (GROUPS * 32) + inner[None, :]
    codes_at = codes_ptr + n.to(tl.int64)[:, None] * (GROUPS * 32) + inner[None, :]
    grid_at = n[:, None] * GROUPS + tl.arange(0, 4)[None, :]
    acc = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    last = tl.minimum(GROUPS, (split + 1) * SPLIT_GROUPS)
    for first in tl.range(split * SPLIT_GROUPS, last, 4, num_stages=STAGES):
        inside = (n[:, None] < N) & ((first + tl.arange(0, 4)[None, :] < GROUPS) | IS_WHOLE)
        scales = planes_of(tl.load(scales_ptr + grid_at + first, inside, 0.0))
        if minima_ptr is not None:
            minima = planes_of(tl.load(minima_ptr + grid_at + first, inside, 0.0))
        for plane in tl.static_range(4):
            group = first + plane
            known = (m < M) & ((group < GROUPS) | IS_WHOLE)
            x = tl.load(x_at + group * 32, known[:, None], 0)
            codes = tl.load(
                codes_at + group * 32, ((n < N) & ((group < GROUPS) | IS_WHOLE))[:, None], 0
            )
            x_scale = tl.load(x_scales_ptr + group * M + m, known, 0.0)
            scale = scales[plane].to(tl.float32)
            acc += tl.dot(codes, x.T).to(tl.float32) * (scale[:, None] * x_scale[None, :])
            if minima_ptr is not None:
                x_sum = tl.load(x_sums_ptr + group * M + m, known, 0.0)
                acc += minima[plane].to(tl.float32)[:, None] * x_sum[None, :]
    y_at = y_ptr + (split * M + m).to(tl.int64)[:, None] * N + n[None, :]
    tl.store(y_at, acc.T, (m[:, None] < M) & (n[None, :] < N))


class Config(NamedTuple):
    block_m: int
    block_n: int
    warps: int
    stages: int
    splits: int


def config(rows: int, outputs: int, groups: int, gpu: Gpu) -> Config:
    steps = triton.cdiv(groups, 4)
    if rows <= 16:
        return Config(16, 128, 4, 4, splits_of(triton.cdiv(outputs, 128), steps, gpu.processors))
    if rows <= 128:
        return Config(64, 64, 4, 4, splits_of(triton.cdiv(outputs, 32), steps, gpu.processors))
    return Config(64, 128, 8, 3, 1)


WHOLE_FROM = 256
"""Rows from which making the weight whole, for a product that is cuBLAS's own, is the faster."""


def _takes(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> bool:
    return x.numel() > 0 and codes.numel() > 0 and scales.dtype != torch.float64


@launched(linear.quantized_linear, _takes)
def quantized_linear(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    """With many rows of 16 bits, numbers that are rounded to the same grids are multiplied as such:
    a scale for each 32 products costs more than the faster ones in int8 gain."""
    if x.dtype != torch.float32 and x.numel() >= WHOLE_FROM * x.shape[-1]:
        weight = dequantized(codes, scales, minima, x.dtype)
        return _product(_on_grid(x.contiguous()), weight)
    return _in_int8(x, codes, scales, minima)


def _in_int8(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    outputs, inputs = codes.shape
    rows, groups = x.numel() // inputs, inputs // GROUP
    x_codes, x_scales, x_sums = _rounded(x.contiguous(), rows, groups, has_sums=minima is not None)
    tiles = config(rows, outputs, groups, gpu_of(x))
    y = x.new_empty(*x.shape[:-1], outputs, dtype=torch.float32)
    parts = y if tiles.splits == 1 else y.new_empty(tiles.splits, *y.shape)
    programs = triton.cdiv(rows, tiles.block_m) * triton.cdiv(outputs, tiles.block_n)
    quantized_linear_kernel[(programs, tiles.splits)](
        x_codes,
        x_scales,
        x_sums,
        codes.contiguous().view(torch.int8),
        scales.contiguous(),
        None if minima is None else minima.contiguous(),
        parts,
        rows,
        outputs,
        groups,
        4 * triton.cdiv(triton.cdiv(groups, 4), tiles.splits),
        IS_WHOLE=groups % 4 == 0,
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        num_warps=tiles.warps,
        STAGES=tiles.stages,
    )
    return y if tiles.splits == 1 else add_splits(parts, y)


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """x W^T in fp32."""
    if not x.is_cuda:
        return x.float() @ weight.float().t()
    y = torch.mm(x.view(-1, x.shape[-1]), weight.t(), out_dtype=torch.float32)
    return y.view(*x.shape[:-1], len(weight))


def _on_grid(x: Tensor) -> Tensor:
    """x rounded to 8 bits per 32."""
    rounded = torch.empty_like(x)
    groups = x.numel() // GROUP
    on_grid_kernel[(triton.cdiv(groups, 64),)](
        x, rounded, groups, BLOCK=64, num_warps=4, enable_fp_fusion=False
    )
    return rounded


def _rounded(x: Tensor, rows: int, groups: int, *, has_sums: bool) -> tuple[Tensor, Tensor, Tensor]:
    codes = torch.empty_like(x, dtype=torch.int8)
    scales = x.new_empty(groups, rows, dtype=torch.float32)
    sums = torch.empty_like(scales) if has_sums else scales
    round_kernel[(triton.cdiv(rows * groups, 64),)](
        x,
        codes,
        scales,
        sums,
        rows,
        groups,
        HAS_SUMS=has_sums,
        BLOCK=64,
        num_warps=4,
        enable_fp_fusion=False,
    )
    return codes, scales, sums
