"""A linear layer in whole numbers: x rounded to 8 bits per 32, weights of 8 or 4 bits."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import linear
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.splits import add_splits, splits_of

_NEAREST = tl.constexpr(12582912.0)  # 1.5 * 2^23: added to a small number, its fraction is rounded


@triton.jit
def round_kernel(
    x_ptr, codes_ptr, scales_ptr, sums_ptr, M, GROUPS, HAS_SUMS: tl.constexpr, BLOCK: tl.constexpr
):
    """scales[G, M], and sums[G, M] of what the codes stand for."""
    group = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    at = group[:, None] * 32 + tl.arange(0, 32)[None, :]
    known = group < M * GROUPS
    x = tl.load(x_ptr + at, known[:, None], 0.0).to(tl.float32)
    largest = tl.max(tl.abs(x), axis=1)
    factor = tl.where(largest > 0, tl.div_rn(127.0, tl.where(largest > 0, largest, 1.0)), 0.0)
    codes = (x * factor[:, None] + _NEAREST) - _NEAREST
    scales = tl.div_rn(largest, 127.0)
    tl.store(codes_ptr + at, codes.to(tl.int8), known[:, None])
    by_row = group % GROUPS * M + group // GROUPS
    tl.store(scales_ptr + by_row, scales, known)
    if HAS_SUMS:
        tl.store(sums_ptr + by_row, tl.sum(codes, axis=1) * scales, known)


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
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    GROUPED: tl.constexpr,
):
    """y[s, M, N] of split s over the groups. A group's products are summed in int32, exactly."""
    tiles_m, tiles_n = tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N)
    tile, split = tl.program_id(0), tl.program_id(1)
    place_m, place_n = tl.swizzle2d(tile % tiles_m, tile // tiles_m, tiles_m, tiles_n, GROUPED)
    m = place_m * BLOCK_M + tl.arange(0, BLOCK_M)
    n = place_n * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, 32)
    x_at = x_ptr + m.to(tl.int64)[:, None] * (GROUPS * 32) + inner[None, :]
    codes_at = codes_ptr + n.to(tl.int64)[:, None] * (GROUPS * 32) + inner[None, :]
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for group in range(split * SPLIT_GROUPS, tl.minimum(GROUPS, (split + 1) * SPLIT_GROUPS)):
        x = tl.load(x_at + group * 32, m[:, None] < M, 0)
        codes = tl.load(codes_at + group * 32, n[:, None] < N, 0)
        x_scale = tl.load(x_scales_ptr + group * M + m, m < M, 0.0)
        scale = tl.load(scales_ptr + n * GROUPS + group, n < N, 0.0).to(tl.float32)
        acc += tl.dot(x, codes.T).to(tl.float32) * (x_scale[:, None] * scale[None, :])
        if minima_ptr is not None:
            x_sum = tl.load(x_sums_ptr + group * M + m, m < M, 0.0)
            minimum = tl.load(minima_ptr + n * GROUPS + group, n < N, 0.0).to(tl.float32)
            acc += x_sum[:, None] * minimum[None, :]
    y_at = y_ptr + (split * M + m).to(tl.int64)[:, None] * N + n[None, :]
    tl.store(y_at, acc, (m[:, None] < M) & (n[None, :] < N))


class Config(NamedTuple):
    block_m: int
    block_n: int
    warps: int
    stages: int
    splits: int


def config(rows: int, outputs: int, groups: int) -> Config:
    if rows <= 32:
        splits = splits_of(triton.cdiv(outputs, 64), groups // 4)
        return Config(16 if rows <= 16 else 32, 64, 4, 6, splits)
    if rows <= 128:
        return Config(64, 64, 4, 4, splits_of(triton.cdiv(outputs, 32), groups // 4))
    return Config(128, 128, 8, 4, 1)


def _takes(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> bool:
    return x.numel() > 0 and codes.numel() > 0 and scales.dtype != torch.float64


@launched(linear.quantized_linear, _takes)
def quantized_linear(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    outputs, inputs = codes.shape
    rows, groups = x.numel() // inputs, inputs // GROUP
    x_codes, x_scales, x_sums = _rounded(x.contiguous(), rows, groups, has_sums=minima is not None)
    tiles = config(rows, outputs, groups)
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
        triton.cdiv(groups, tiles.splits),
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        GROUPED=8,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return y if tiles.splits == 1 else add_splits(parts, y)


def _rounded(x: Tensor, rows: int, groups: int, *, has_sums: bool) -> tuple[Tensor, Tensor, Tensor]:
    codes = torch.empty_like(x, dtype=torch.int8)
    scales = x.new_empty(groups, rows, dtype=torch.float32)
    sums = torch.empty_like(scales) if has_sums else scales
    round_kernel[(triton.cdiv(rows * groups, 64),)](
        x, codes, scales, sums, rows, groups, HAS_SUMS=has_sums, BLOCK=64, num_warps=4
    )
    return codes, scales, sums
