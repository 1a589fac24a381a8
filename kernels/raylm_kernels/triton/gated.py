"""The gated activations of an MLP, and their gradients: one pass over the inputs.

Both activations are x * sigmoid(z): z = x for silu, sqrt(8 / pi) (x + 0.044715 x^3) for gelu by its
tanh approximation.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import gated
from raylm_kernels.triton.launched import REAL, launched
from raylm_kernels.triton.rows import as_equal_rows

_BLOCK = 2048  # with 4 warps two loads of 16 bytes a thread and tensor
_LINEAR = tl.constexpr(1.5957691216057308)  # sqrt(8 / pi)
_CUBIC = tl.constexpr(0.044715 * 1.5957691216057308)


@triton.jit
def _share(x, IS_GELU: tl.constexpr):
    """sigmoid(z) and the derivative of z."""
    z, slope = x, 1.0
    if IS_GELU:
        z = x * (_LINEAR + _CUBIC * x * x)
        slope = _LINEAR + 3.0 * _CUBIC * x * x
    return 1.0 / (1.0 + tl.exp(-tl.maximum(z, -87.0))), slope  # exp(88) is beyond fp32


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
    IS_GELU: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, column, inside = _place(width, BLOCK)
    gate = tl.load(gate_ptr + row * gate_stride + column, inside).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + column, inside).to(tl.float32)
    share, _ = _share(gate, IS_GELU)
    y = gate * share * up
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
    IS_GELU: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row, column, inside = _place(width, BLOCK)
    grad = tl.load(grad_ptr + row * grad_stride + column, inside).to(tl.float32)
    gate = tl.load(gate_ptr + row * gate_stride + column, inside).to(tl.float32)
    up = tl.load(up_ptr + row * up_stride + column, inside).to(tl.float32)
    share, slope = _share(gate, IS_GELU)
    activated = gate * share
    grad_gate = grad * up * (share + activated * (1.0 - share) * slope)
    at = row * width + column
    tl.store(grad_gate_ptr + at, grad_gate.to(grad_gate_ptr.dtype.element_ty), inside)
    tl.store(grad_up_ptr + at, (grad * activated).to(grad_up_ptr.dtype.element_ty), inside)


@launched(gated.swiglu, lambda gate, up: gate.numel() > 0 and up.dtype in REAL)
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return _forward(gate, up, is_gelu=False)


@launched("swiglu_backward", lambda grads, gate, up: gate.numel() > 0)
def swiglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    return _backward(grads[0], gate, up, is_gelu=False)


@launched(gated.geglu, lambda gate, up: gate.numel() > 0 and up.dtype in REAL)
def geglu(gate: Tensor, up: Tensor) -> Tensor:
    return _forward(gate, up, is_gelu=True)


@launched("geglu_backward", lambda grads, gate, up: gate.numel() > 0)
def geglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    return _backward(grads[0], gate, up, is_gelu=True)


def _forward(gate: Tensor, up: Tensor, *, is_gelu: bool) -> Tensor:
    y = _empty(gate, torch.promote_types(gate.dtype, up.dtype))
    gate, up = as_equal_rows(gate, up)
    gated_kernel[_grid(gate)](
        gate, up, y, gate.shape[1], gate.stride(0), up.stride(0), IS_GELU=is_gelu, BLOCK=_BLOCK
    )
    return y


def _backward(grad: Tensor, gate: Tensor, up: Tensor, *, is_gelu: bool) -> list[Tensor]:
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
        IS_GELU=is_gelu,
        BLOCK=_BLOCK,
    )
    return [grad_gate, grad_up]


def _empty(like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    return torch.empty_like(like, dtype=dtype, memory_format=torch.contiguous_format)


def _grid(rows: Tensor) -> Any:
    return (len(rows) * triton.cdiv(rows.shape[1], _BLOCK),)
