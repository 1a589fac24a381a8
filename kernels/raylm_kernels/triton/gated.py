"""The gated activation of an MLP, and its gradients: one pass over the inputs."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import gated
from raylm_kernels.triton.launched import launched

_BLOCK = 1024


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def swiglu_kernel(gate_ptr, up_ptr, y_ptr, size, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    gate = tl.load(gate_ptr + at, inside).to(tl.float32)
    up = tl.load(up_ptr + at, inside).to(tl.float32)
    y = gate * _sigmoid(gate) * up
    tl.store(y_ptr + at, y.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def swiglu_backward_kernel(
    grad_ptr, gate_ptr, up_ptr, grad_gate_ptr, grad_up_ptr, size, BLOCK: tl.constexpr
):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    grad = tl.load(grad_ptr + at, inside).to(tl.float32)
    gate = tl.load(gate_ptr + at, inside).to(tl.float32)
    up = tl.load(up_ptr + at, inside).to(tl.float32)
    share = _sigmoid(gate)
    silu = gate * share
    grad_gate = grad * up * (share + silu * (1.0 - share))
    tl.store(grad_gate_ptr + at, grad_gate.to(grad_gate_ptr.dtype.element_ty), inside)
    tl.store(grad_up_ptr + at, (grad * silu).to(grad_up_ptr.dtype.element_ty), inside)


@launched(gated.swiglu, lambda gate, up: gate.numel() > 0)
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    gate, up = gate.contiguous(), up.contiguous()
    y = torch.empty_like(gate)
    size = gate.numel()
    swiglu_kernel[(triton.cdiv(size, _BLOCK),)](gate, up, y, size, BLOCK=_BLOCK)
    return y


@launched("swiglu_backward", lambda grads, gate, up: gate.numel() > 0)
def swiglu_backward(grads: Sequence[Tensor], gate: Tensor, up: Tensor) -> list[Tensor]:
    grad, gate, up = grads[0].contiguous(), gate.contiguous(), up.contiguous()
    grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
    size = gate.numel()
    swiglu_backward_kernel[(triton.cdiv(size, _BLOCK),)](
        grad, gate, up, grad_gate, grad_up, size, BLOCK=_BLOCK
    )
    return [grad_gate, grad_up]
