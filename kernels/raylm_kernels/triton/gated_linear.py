"""The first half of a gated MLP: two products of one x, and one gated by the other.

One kernel does both for up to 128 rows: it reads x once and writes the result alone. The products
of more are torch's, and their gating a pass of its own: tensor cores that add into two accumulators
at once wait for each other, which costs more.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from raylm_kernels.reference import fused
from raylm_kernels.triton.activation import activated
from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.gated import gate_backward, gate_with
from raylm_kernels.triton.gemm import (
    cdiv,
    halves,
    product,
    rows_of,
    tiling,
)
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.tile_order import tile_of

_FEW = 128  # rows


@triton.jit
def gated_linear_kernel(
    x_ptr,
    gate_ptr,
    up_ptr,
    y_ptr,
    M,
    N,
    K,
    x_stride,
    gate_stride,
    up_stride,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    EVEN_K: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
):
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    rows, columns = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    both = tl.arange(0, 2 * BLOCK_N)
    of_both = column + both % BLOCK_N
    w_ptrs = tl.where(
        both < BLOCK_N,
        gate_ptr + of_both.to(tl.int64) * gate_stride,
        up_ptr + of_both.to(tl.int64) * up_stride,
    )
    x_ptrs = x_ptr + rows.to(tl.int64) * x_stride
    acc = product(x_ptrs, w_ptrs, rows < M, of_both < N, K, BLOCK_K, EVEN_K, PRECISION)
    gate, up = halves(acc)
    at = rows.to(tl.int64)[:, None] * N + columns[None, :]
    inside = (rows < M)[:, None] & (columns < N)[None, :]
    gated = activated(gate, ACTIVATION) * up
    tl.store(y_ptr + at, gated.to(y_ptr.dtype.element_ty), inside)


def _takes(x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str) -> bool:
    return min(x.numel(), gate_weight.numel()) > 0 and (
        x.dtype == gate_weight.dtype == up_weight.dtype
    )


@launched(fused.gated_linear, _takes)
def gated_linear(x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str) -> Tensor:
    M, N = x.numel() // x.shape[-1], len(gate_weight)
    if M > _FEW:
        return gate_with(F.linear(x, gate_weight), F.linear(x, up_weight), activation)
    y = torch.empty((*x.shape[:-1], N), dtype=x.dtype, device=x.device)
    x, gate, up = rows_of(x), rows_of(gate_weight), rows_of(up_weight)
    K = x.shape[1]
    tile = tiling(M, 2 * N, x.dtype, gpu_of(x))
    block = tile.columns // 2
    gated_linear_kernel[(cdiv(M, tile.rows) * cdiv(N, block),)](
        x,
        gate,
        up,
        y,
        M,
        N,
        K,
        x.stride(0),
        gate.stride(0),
        up.stride(0),
        EVEN_K=K % tile.depth == 0,
        ACTIVATION=activation,
        PRECISION=dot_precision(x.dtype),
        **tile.meta() | {"BLOCK_N": block},
    )
    return y


@launched("gated_linear_backward", lambda grads, *args: _takes(*args))
def gated_linear_backward(
    grads: Sequence[Tensor], x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str
) -> list[Tensor]:
    x_NE = x.reshape(-1, x.shape[-1])
    grad = grads[0].reshape(len(x_NE), len(gate_weight)).contiguous()
    gate, up = F.linear(x_NE, gate_weight), F.linear(x_NE, up_weight)
    grad_gate, grad_up = gate_backward(grad, gate, up, activation)
    grad_x = torch.addmm(grad_gate @ gate_weight, grad_up, up_weight)
    return [grad_x.reshape(x.shape), grad_gate.t() @ x_NE, grad_up.t() @ x_NE]
