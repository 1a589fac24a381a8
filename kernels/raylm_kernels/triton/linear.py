"""activation(x W^T + bias) + residual in one kernel: what `norm_linear`, `layer_norm_linear` and
`linear_add` have in common."""

from dataclasses import replace
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.activation import activated
from raylm_kernels.triton.capacity import gpu_of, programs_at_once
from raylm_kernels.triton.gemm import (
    cdiv,
    contiguous,
    described,
    described_product,
    describes,
    halves,
    product,
    rows_of,
    tiling,
)
from raylm_kernels.triton.launched import dot_precision
from raylm_kernels.triton.tile_order import tile_of


@triton.jit
def finished(
    acc,
    bias_ptr,
    residual,
    row,
    column,
    M,
    N,
    ACTIVATION: tl.constexpr,
    DESCRIBED: tl.constexpr,
):
    """activation(acc + bias) + residual, of which acc is the block at row and column."""
    rows, columns = row + tl.arange(0, acc.shape[0]), column + tl.arange(0, acc.shape[1])
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + columns, columns < N, other=0.0).to(tl.float32)[None, :]
    acc = activated(acc, ACTIVATION)
    if residual is not None:
        if DESCRIBED:
            acc += residual.load([row, column]).to(tl.float32)
        else:
            at = rows.to(tl.int64)[:, None] * N + columns[None, :]
            inside = (rows < M)[:, None] & (columns < N)[None, :]
            acc += tl.load(residual + at, inside, other=0.0).to(tl.float32)
    return acc


@triton.jit
def linear_kernel(
    x,
    w,
    y,
    bias_ptr,
    residual,
    M,
    N,
    K,
    x_stride,
    w_stride,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    EVEN_K: tl.constexpr,
    DESCRIBED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
):
    tiles = tl.cdiv(M, BLOCK_M) * tl.cdiv(N, BLOCK_N)
    for place in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=DESCRIBED):
        row, column = tile_of(place, M, N, BLOCK_M, BLOCK_N)
        if DESCRIBED:
            acc = described_product(x, w, row, column, K, BLOCK_M, BLOCK_N, BLOCK_K, PRECISION)
            left, right = halves(acc)  # one after the other, for lack of shared memory
            left = finished(left, bias_ptr, residual, row, column, M, N, ACTIVATION, DESCRIBED)
            y.store([row, column], left.to(y.dtype))
            column += BLOCK_N // 2
            right = finished(right, bias_ptr, residual, row, column, M, N, ACTIVATION, DESCRIBED)
            y.store([row, column], right.to(y.dtype))
        else:
            rows, columns = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
            x_ptrs = x + rows.to(tl.int64) * x_stride
            w_ptrs = w + columns.to(tl.int64) * w_stride
            acc = product(x_ptrs, w_ptrs, rows < M, columns < N, K, BLOCK_K, EVEN_K, PRECISION)
            acc = finished(acc, bias_ptr, residual, row, column, M, N, ACTIVATION, DESCRIBED)
            at = rows.to(tl.int64)[:, None] * N + columns[None, :]
            inside = (rows < M)[:, None] & (columns < N)[None, :]
            tl.store(y + at, acc.to(y.dtype.element_ty), inside)


def linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str = "none",
) -> Tensor:
    flat, weight = rows_of(x), rows_of(weight)
    (M, K), N = flat.shape, len(weight)
    dtype = x.dtype if residual is None else torch.promote_types(x.dtype, residual.dtype)
    y = torch.empty((*x.shape[:-1], N), dtype=dtype, device=x.device)
    bias, residual = contiguous(bias), contiguous(residual)
    tile = tiling(M, N, x.dtype, gpu_of(x))
    programs = cdiv(M, tile.rows) * cdiv(N, tile.columns)
    operands: tuple[Any, ...] = flat, weight, y, residual
    by_tma = [flat, weight, y.view(M, N), *([] if residual is None else [residual.view(M, N)])]
    if is_described := tile.rows > 64 and gpu_of(x).is_hopper and describes(*by_tma):
        programs = min(programs, programs_at_once(x))
        half = tile.columns // 2
        if residual is not None:  # for which there must be shared memory
            tile = replace(tile, stages=tile.stages - 1)
            residual = described(residual.view(M, N), tile.rows, half)
        operands = (
            described(flat, tile.rows, tile.depth),
            described(weight, tile.columns, tile.depth),
            described(y.view(M, N), tile.rows, half),
            residual,
        )
    x_operand, w_operand, y_operand, residual_operand = operands
    linear_kernel[(programs,)](
        x_operand,
        w_operand,
        y_operand,
        bias,
        residual_operand,
        M,
        N,
        K,
        flat.stride(0),
        weight.stride(0),
        EVEN_K=K % tile.depth == 0,
        DESCRIBED=is_described,
        ACTIVATION=activation,
        PRECISION=dot_precision(x.dtype),
        **tile.meta(),
    )
    return y
