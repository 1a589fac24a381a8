"""A linear layer over codes of a byte, which are made 16-bit floats in registers."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import linear
from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.dequantize import from_bytes, planes_of, scaled
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.splits import add_splits
from raylm_kernels.triton.tile_order import tile_of
from raylm_kernels.triton.weight_only_tiling import Tiling, tiling


@triton.jit
def weight_only_linear_kernel(
    x_ptr,
    codes_ptr,
    scales_ptr,
    minima_ptr,
    y_ptr,
    M,
    N,
    K,
    GROUPS,
    STEPS,
    IS_WHOLE: tl.constexpr,
    HAS_WEIGHT_FIRST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """y[s, M, N] of split s over steps of 4 groups of inputs. With `HAS_WEIGHT_FIRST` the weight is
    the left factor, which tensor cores take from registers."""
    DTYPE: tl.constexpr = x_ptr.dtype.element_ty
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    split = tl.program_id(1)
    m, n = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, 32)
    x_at = x_ptr + m.to(tl.int64)[:, None] * K + inner[None, :]
    codes_at = codes_ptr + n.to(tl.int64)[:, None] * K + inner[None, :]
    grid_at = n[:, None] * GROUPS + tl.arange(0, 4)[None, :]
    acc = tl.zeros((BLOCK_N, BLOCK_M) if HAS_WEIGHT_FIRST else (BLOCK_M, BLOCK_N), tl.float32)
    for k in range(split * STEPS * 128, tl.minimum(K, (split + 1) * STEPS * 128), 128):
        inside = (n[:, None] < N) & ((k // 32 + tl.arange(0, 4)[None, :] < GROUPS) | IS_WHOLE)
        scales = planes_of(tl.load(scales_ptr + grid_at + k // 32, inside, 0.0))
        if minima_ptr is not None:
            minima = planes_of(tl.load(minima_ptr + grid_at + k // 32, inside, 0.0))
        for plane in tl.static_range(4):
            at = k + plane * 32
            known = (n < N) & ((at < K) | IS_WHOLE)
            x = tl.load(x_at + at, ((m < M) & ((at < K) | IS_WHOLE))[:, None], 0.0)
            codes = from_bytes(tl.load(codes_at + at, known[:, None], 0), DTYPE)
            scale = scales[plane].to(DTYPE)[:, None]
            if minima_ptr is None:
                w = codes * scale
            else:
                w = scaled(codes, scale, minima[plane][:, None], DTYPE)
            if HAS_WEIGHT_FIRST:
                acc = tl.dot(w, x.T, acc, input_precision=PRECISION)
            else:
                acc = tl.dot(x, w.T, acc, input_precision=PRECISION)
    if HAS_WEIGHT_FIRST:
        acc = acc.T
    y_at = y_ptr + (split * M + m).to(tl.int64)[:, None] * N + n[None, :]
    tl.store(y_at, acc.to(y_ptr.dtype.element_ty), (m[:, None] < M) & (n[None, :] < N))


@triton.jit
def dequantize_kernel(codes_ptr, scales_ptr, minima_ptr, weight_ptr, groups, BLOCK: tl.constexpr):
    group = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    at = group[:, None] * 32 + tl.arange(0, 32)[None, :]
    known = group < groups
    codes = tl.load(codes_ptr + at, known[:, None], 0).to(tl.float32)
    weight = codes * tl.load(scales_ptr + group, known, 0.0).to(tl.float32)[:, None]
    if minima_ptr is not None:
        weight += tl.load(minima_ptr + group, known, 0.0).to(tl.float32)[:, None]
    tl.store(weight_ptr + at, weight.to(weight_ptr.dtype.element_ty), known[:, None])


WHOLE_FROM = 256
"""Rows from which making the weight whole, for a product that is cuBLAS's own, is the faster."""


def _takes(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> bool:
    return x.numel() > 0 and codes.numel() > 0 and scales.dtype != torch.float64


@launched(linear.weight_only_linear, _takes)
def weight_only_linear(x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    outputs, inputs = codes.shape
    rows, bits = x.numel() // inputs, 8 * x.dtype.itemsize
    if bits == 16 and rows >= WHOLE_FROM:
        return x @ dequantized(codes, scales, minima, x.dtype).t()
    return tiled(
        x,
        codes,
        scales,
        minima,
        tiling(rows, outputs, inputs, bits, gpu_of(x)),
        x.dtype,
    )


def tiled(
    x: Tensor,
    codes: Tensor,
    scales: Tensor,
    minima: Tensor | None,
    tiles: Tiling,
    dtype: torch.dtype,
) -> Tensor:
    """A result of `dtype`."""
    outputs, inputs = codes.shape
    rows = x.numel() // inputs
    y = x.new_empty(*x.shape[:-1], outputs, dtype=dtype)
    parts = y if tiles.splits == 1 else x.new_empty(tiles.splits, *y.shape, dtype=torch.float32)
    programs = triton.cdiv(rows, tiles.block_m) * triton.cdiv(outputs, tiles.block_n)
    weight_only_linear_kernel[(programs, tiles.splits)](
        x.contiguous(),
        codes.contiguous(),
        scales.contiguous(),
        None if minima is None else minima.contiguous(),
        parts,
        rows,
        outputs,
        inputs,
        inputs // GROUP,
        triton.cdiv(triton.cdiv(inputs, 128), tiles.splits),
        IS_WHOLE=inputs % 128 == 0,
        HAS_WEIGHT_FIRST=tiles.has_weight_first,
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        PRECISION=dot_precision(x.dtype),
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return y if tiles.splits == 1 else add_splits(parts, y)


@launched(
    "weight_only_linear_backward",
    lambda grads, x, *weight: grads[0].numel() > 0 and _takes(x, *weight),
)
def weight_only_linear_backward(
    grads: Sequence[Tensor], x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None
) -> list[Tensor]:
    """The weight is made whole for a product that is cuBLAS's own."""
    return [grads[0].to(x.dtype) @ dequantized(codes, scales, minima, x.dtype)]


def dequantized(codes: Tensor, scales: Tensor, minima: Tensor | None, dtype: torch.dtype) -> Tensor:
    weight = torch.empty_like(codes, dtype=dtype, memory_format=torch.contiguous_format)
    groups = codes.numel() // GROUP
    dequantize_kernel[(triton.cdiv(groups, 128),)](
        codes.contiguous(),
        scales.contiguous(),
        None if minima is None else minima.contiguous(),
        weight,
        groups,
        BLOCK=128,
        num_warps=4,
    )
    return weight
