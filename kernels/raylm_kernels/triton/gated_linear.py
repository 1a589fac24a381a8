"""The first half of a gated MLP: two products of one x, and one gated by the other."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from raylm_kernels.reference import fused
from raylm_kernels.triton.activation import activated, slope
from raylm_kernels.triton.gemm import (
    described,
    describes,
    halves,
    is_hopper,
    place,
    processors,
    product,
    rows_of,
    tiling,
)
from raylm_kernels.triton.launched import dot_precision, launched

_BLOCK = 1024


@triton.jit
def gated_linear_kernel(
    x,
    gate,
    up,
    y,
    M,
    N,
    K,
    x_stride,
    gate_stride,
    up_stride,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    GROUP: tl.constexpr,
    EVEN_K: tl.constexpr,
    DESCRIBED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    PRECISION: tl.constexpr,
):
    tiles = tl.cdiv(M, BLOCK_M) * tl.cdiv(N, BLOCK_N)
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=True):
        row, column = place(tile, M, N, BLOCK_M, BLOCK_N, GROUP)
        rows, columns = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
        if DESCRIBED:
            gates = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
            ups = tl.zeros([BLOCK_M, BLOCK_N], tl.float32)
            for start in range(0, K, BLOCK_K):
                part = x.load([row, start])
                gates = tl.dot(part, gate.load([column, start]).T, gates, input_precision=PRECISION)
                ups = tl.dot(part, up.load([column, start]).T, ups, input_precision=PRECISION)
            y.store([row, column], (activated(gates, ACTIVATION) * ups).to(y.dtype))
        else:
            both = tl.arange(0, 2 * BLOCK_N)
            of_both = column + both % BLOCK_N
            w_ptrs = tl.where(
                both < BLOCK_N,
                gate + of_both.to(tl.int64) * gate_stride,
                up + of_both.to(tl.int64) * up_stride,
            )
            x_ptrs = x + rows.to(tl.int64) * x_stride
            acc, _ = product(
                x_ptrs, w_ptrs, rows < M, of_both < N, None, K, BLOCK_K, EVEN_K, PRECISION
            )
            gates, ups = halves(acc)
            at = rows.to(tl.int64)[:, None] * N + columns[None, :]
            inside = (rows < M)[:, None] & (columns < N)[None, :]
            gated = activated(gates, ACTIVATION) * ups
            tl.store(y + at, gated.to(y.dtype.element_ty), inside)


@triton.jit
def gated_backward_kernel(
    grad_ptr,
    gate_ptr,
    up_ptr,
    grad_gate_ptr,
    grad_up_ptr,
    size,
    ACTIVATION: tl.constexpr,
    BLOCK: tl.constexpr,
):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    grad = tl.load(grad_ptr + at, inside).to(tl.float32)
    gate = tl.load(gate_ptr + at, inside).to(tl.float32)
    up = tl.load(up_ptr + at, inside).to(tl.float32)
    grad_gate = grad * up * slope(gate, ACTIVATION)
    grad_up = grad * activated(gate, ACTIVATION)
    tl.store(grad_gate_ptr + at, grad_gate.to(grad_gate_ptr.dtype.element_ty), inside)
    tl.store(grad_up_ptr + at, grad_up.to(grad_up_ptr.dtype.element_ty), inside)


def _takes(x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str) -> bool:
    return min(x.numel(), gate_weight.numel()) > 0 and (
        x.dtype == gate_weight.dtype == up_weight.dtype
    )


@launched(fused.gated_linear, _takes)
def gated_linear(x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str) -> Tensor:
    flat, gate, up = rows_of(x), rows_of(gate_weight), rows_of(up_weight)
    (M, K), N = flat.shape, len(gate)
    y = x.new_empty(*x.shape[:-1], N)
    out = y.view(M, N)
    tile = tiling(M, 2 * N, x.dtype, is_hopper=is_hopper(x))
    block = tile.columns // 2
    tiles = triton.cdiv(M, tile.rows) * triton.cdiv(N, block)
    is_described = tile.rows > 64 and is_hopper(x) and describes(flat, gate, up, out)
    grid = min(tiles, processors(x)) if is_described else tiles
    gated_linear_kernel[(grid,)](
        described(flat, tile.rows, tile.depth) if is_described else flat,
        described(gate, block, tile.depth) if is_described else gate,
        described(up, block, tile.depth) if is_described else up,
        described(out, tile.rows, block) if is_described else out,
        M,
        N,
        K,
        flat.stride(0),
        gate.stride(0),
        up.stride(0),
        BLOCK_N=block,
        EVEN_K=K % tile.depth == 0,
        DESCRIBED=is_described,
        ACTIVATION=activation,
        PRECISION=dot_precision(x.dtype),
        **tile.meta(),
    )
    return y


@launched("gated_linear_backward", lambda grads, *args: _takes(*args))
def gated_linear_backward(
    grads: Sequence[Tensor], x: Tensor, gate_weight: Tensor, up_weight: Tensor, activation: str
) -> list[Tensor]:
    x_NE = x.reshape(-1, x.shape[-1])
    grad = grads[0].reshape(len(x_NE), len(gate_weight)).contiguous()
    gate, up = F.linear(x_NE, gate_weight), F.linear(x_NE, up_weight)
    grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
    gated_backward_kernel[(triton.cdiv(gate.numel(), _BLOCK),)](
        grad, gate, up, grad_gate, grad_up, gate.numel(), ACTIVATION=activation, BLOCK=_BLOCK
    )
    grad_x = torch.addmm(grad_gate @ gate_weight, grad_up, up_weight)
    return [grad_x.reshape(x.shape), grad_gate.t() @ x_NE, grad_up.t() @ x_NE]
