"""The projections of an attention layer in one product, queries and keys turned as they leave it.

A program computes the pairs (i, i + D/2) of heads: its columns are first those of the i, which may
be of several heads, then those of their partners.
"""

from collections.abc import Sequence
from dataclasses import replace

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import fused
from raylm_kernels.triton.angle import cos_sin
from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.gemm import (
    cdiv,
    contiguous,
    halves,
    product,
    rows_of,
    tiling,
)
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.linear_backward import linear_backward
from raylm_kernels.triton.tile_order import tile_of

_ROWS, _PAIRS = 16, 64  # of a program of the gradient's


@triton.jit
def angles(positions_ptr, inv_freq_ptr, rows, M, pairs, HALF: tl.constexpr):
    positions = tl.load(positions_ptr + rows, rows < M, other=0).to(tl.float32)
    inv_freq = tl.load(inv_freq_ptr + pairs % HALF).to(tl.float32)
    return positions[:, None] * inv_freq[None, :]


@triton.jit
def head_ptrs(q_ptr, k_ptr, v_ptr, rows, pairs, Q_PAIRS, K_PAIRS, HALF: tl.constexpr):
    """Where the first of each pair lies: in the queries, the keys or the values."""
    rows = rows.to(tl.int64)[:, None]
    at = (pairs // HALF * (2 * HALF) + pairs % HALF)[None, :]
    pairs = pairs[None, :]
    k_at = rows * (2 * K_PAIRS) + at - 2 * Q_PAIRS
    keys_and_values = tl.where(pairs < Q_PAIRS + K_PAIRS, k_ptr + k_at, v_ptr + k_at - 2 * K_PAIRS)
    return tl.where(pairs < Q_PAIRS, q_ptr + rows * (2 * Q_PAIRS) + at, keys_and_values)


@triton.jit
def linear_rope_kernel(
    x_ptr,
    w_ptr,
    bias_ptr,
    positions_ptr,
    inv_freq_ptr,
    q_ptr,
    k_ptr,
    v_ptr,
    factor,
    M,
    N,
    K,
    x_stride,
    w_stride,
    Q_PAIRS,
    K_PAIRS,
    HALF: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    EVEN_K: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    rows, pairs = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    both = tl.arange(0, 2 * BLOCK_N)
    of_both = column + both % BLOCK_N
    w_rows = of_both // HALF * (2 * HALF) + of_both % HALF + both // BLOCK_N * HALF
    acc = product(
        x_ptr + rows.to(tl.int64) * x_stride,
        w_ptr + w_rows.to(tl.int64) * w_stride,
        rows < M,
        of_both < N,
        K,
        BLOCK_K,
        EVEN_K,
        PRECISION,
    )
    if bias_ptr is not None:
        acc += tl.load(bias_ptr + w_rows, of_both < N, other=0.0).to(tl.float32)[None, :]
    a, b = halves(acc)
    cos, sin = cos_sin(angles(positions_ptr, inv_freq_ptr, rows, M, pairs, HALF))
    is_turned = (pairs < Q_PAIRS + K_PAIRS)[None, :]
    cos, sin = tl.where(is_turned, cos * factor, 1.0), tl.where(is_turned, sin * factor, 0.0)
    ptrs = head_ptrs(q_ptr, k_ptr, v_ptr, rows, pairs, Q_PAIRS, K_PAIRS, HALF)
    inside = (rows < M)[:, None] & (pairs < N)[None, :]
    dtype: tl.constexpr = q_ptr.dtype.element_ty
    tl.store(ptrs, (a * cos - b * sin).to(dtype), inside)
    tl.store(ptrs + HALF, (b * cos + a * sin).to(dtype), inside)


@triton.jit
def turn_back_kernel(
    grad_q_ptr,
    grad_k_ptr,
    grad_v_ptr,
    positions_ptr,
    inv_freq_ptr,
    out_ptr,
    factor,
    M,
    Q_PAIRS,
    K_PAIRS,
    HALF: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """The gradients of queries, keys and values beside each other, as the weight's rows are."""
    N = Q_PAIRS + 2 * K_PAIRS
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    rows, pairs = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    ptrs = head_ptrs(grad_q_ptr, grad_k_ptr, grad_v_ptr, rows, pairs, Q_PAIRS, K_PAIRS, HALF)
    inside = (rows < M)[:, None] & (pairs < N)[None, :]
    a = tl.load(ptrs, inside).to(tl.float32)
    b = tl.load(ptrs + HALF, inside).to(tl.float32)
    cos, sin = cos_sin(angles(positions_ptr, inv_freq_ptr, rows, M, pairs, HALF))
    is_turned = (pairs < Q_PAIRS + K_PAIRS)[None, :]
    cos, sin = tl.where(is_turned, cos * factor, 1.0), tl.where(is_turned, sin * factor, 0.0)
    at = (pairs // HALF * (2 * HALF) + pairs % HALF)[None, :]
    out_ptrs = out_ptr + rows.to(tl.int64)[:, None] * (2 * N) + at
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    tl.store(out_ptrs, (a * cos + b * sin).to(dtype), inside)
    tl.store(out_ptrs + HALF, (b * cos - a * sin).to(dtype), inside)


def _takes(
    x_NE: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    num_heads: int,
    num_kv_heads: int,
    factor: float,
) -> bool:
    return min(x_NE.numel(), weight.numel()) > 0 and x_NE.dtype == weight.dtype


@launched(fused.linear_rope, _takes)
def linear_rope(
    x_NE: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    num_heads: int,
    num_kv_heads: int,
    factor: float,
) -> tuple[Tensor, Tensor, Tensor]:
    x, weight, half = rows_of(x_NE), rows_of(weight), inv_freq.numel()
    (M, K), N = x.shape, len(weight) // 2
    q, k, v = (x.new_empty(M, heads, 2 * half) for heads in (num_heads, num_kv_heads, num_kv_heads))
    tile = tiling(M, 2 * N, x.dtype, gpu_of(x))
    if tile.rows > 64:  # more columns, or fewer threads, would lack registers for the angles
        tile = replace(tile, columns=128, warps=8, stages=4)
    block = tile.columns // 2
    linear_rope_kernel[(cdiv(M, tile.rows) * cdiv(N, block),)](
        x,
        weight,
        contiguous(bias),
        positions_N.contiguous(),
        inv_freq.contiguous(),
        q,
        k,
        v,
        factor,
        M,
        N,
        K,
        x.stride(0),
        weight.stride(0),
        num_heads * half,
        num_kv_heads * half,
        HALF=half,
        EVEN_K=K % tile.depth == 0,
        PRECISION=dot_precision(x.dtype),
        **tile.meta() | {"BLOCK_N": block},
    )
    return q, k, v


@launched("linear_rope_backward", lambda grads, *args: _takes(*args))
def linear_rope_backward(
    grads: Sequence[Tensor | None],
    x_NE: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    num_heads: int,
    num_kv_heads: int,
    factor: float,
) -> list[Tensor]:
    M, half = len(x_NE), inv_freq.numel()
    counts = num_heads, num_kv_heads, num_kv_heads
    of_heads = [
        x_NE.new_zeros(M, count, 2 * half) if grad is None else grad.contiguous()
        for grad, count in zip(grads, counts, strict=True)
    ]
    grad = x_NE.new_empty(M, len(weight))
    programs = cdiv(M, _ROWS) * cdiv(len(weight) // 2, _PAIRS)
    turn_back_kernel[(programs,)](
        *of_heads,
        positions_N.contiguous(),
        inv_freq.contiguous(),
        grad,
        factor,
        M,
        num_heads * half,
        num_kv_heads * half,
        HALF=half,
        BLOCK_M=_ROWS,
        BLOCK_N=_PAIRS,
    )
    return linear_backward(grad, x_NE, weight, bias)
