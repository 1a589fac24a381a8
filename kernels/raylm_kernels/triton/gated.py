"""The gated activations of an MLP, and their gradients: one pass over the inputs."""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import gated
from raylm_kernels.triton.activation import activated, slope
from raylm_kernels.triton.launched import REAL, launched
from raylm_kernels.triton.rows import as_equal_rows

_BLOCK = 2048  # with 4 warps two loads of 16 bytes a thread and tensor


@triton.jit
def _place(width, BLOCK: tl.constexpr):
    """The row and the columns of this program."""
    blocks = tl.cdiv(width, BLOCK)
    row = (tl.program_id(0) // blocks).to(tl.int64)
    column = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return row, column, column < width


@triton.jit
def gated_kernel(
    gate_ptr,
    up_ptr,
    y_ptr,
    width,
    gate_stride,
    up_stride,
    ACTIVATION: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, column, inside = _place(width, BLOCK)
    gate = tl.load(gate_ptr + row * gate_stride + column, inside).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + column, inside).to(tl.float32)
    y = activated(gate, ACTIVATION) * up
    tl.store(y_ptr + row * width + column, y.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def gated_backward_kernel(
    grad_ptr,
    gate_ptr,
    up_ptr,
    grad_gate_ptr,
    grad_up_ptr,
    width,
    grad_stride,
    gate_stride,
    up_stride,
    ACTIVATION: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, column, inside = _place(width, BLOCK)
    grad = tl.load(grad_ptr + row * grad_stride + column, inside).to(tl.float32)
    gate = tl.load(gate_ptr + row * gate_stride + column, inside).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + column, inside).to(tl.float32)
    grad_gate, grad_up = grad * up * slope(gate, ACTIVATION), grad * activated(gate, ACTIVATION)
    at = row * width + column
    tl.store(grad_gate_ptr + at, grad_gate.to(grad_gate_ptr.dtype.element_ty), inside)
    tl.store(grad_up_ptr + at, grad_up.to(grad_up_ptr.dtype.element_ty), inside)


@launched(gated.swiglu, lambda gate, up: gate.numel() > 0 and up.dtype in REAL)
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return gate_with(gate, up, "silu")


@launched("swiglu_backward", lambda grads, gate, up: gate.numel() > 0)
def swiglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    return gate_backward(grads[0], gate, up, "silu")


@launched(gated.geglu, lambda gate, up: gate.numel() > 0 and up.dtype in REAL)
def geglu(gate: Tensor, up: Tensor) -> Tensor:
    return gate_with(gate, up, "gelu_tanh")


@launched("geglu_backward", lambda grads, gate, up: gate.numel() > 0)
def geglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    return gate_backward(grads[0], gate, up, "gelu_tanh")


def gate_with(gate: Tensor, up: Tensor, activation: str) -> Tensor:
    """activation(gate) * up."""
    y = _empty(gate, torch.promote_types(gate.dtype, up.dtype))
    gate, up = as_equal_rows(gate, up)
    gated_kernel[_grid(gate)](
        gate,
        up,
        y,
        gate.shape[1],
        gate.stride(0),
        up.stride(0),
        ACTIVATION=activation,
        BLOCK=_BLOCK,
    )
    return y


def gate_backward(grad: Tensor, gate: Tensor, up: Tensor, activation: str) -> list[Tensor]:
    grad_gate, grad_up = _empty(gate), _empty(up)
    grad, gate, up = as_equal_rows(grad, gate, up)
    gated_backward_kernel[_grid(gate)](
        grad,
        gate,
        up,
        grad_gate,
        grad_up,
        gate.shape[1],
        grad.stride(0),
        gate.stride(0),
        up.stride(0),
        ACTIVATION=activation,
        BLOCK=_BLOCK,
    )
    return [grad_gate, grad_up]


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty_like(like, dtype=dtype, memory_format=torch.contiguous_format)


def _grid(rows: Tensor) -> Any:
    return (len(rows) * triton.cdiv(rows.shape[1], _BLOCK),)
