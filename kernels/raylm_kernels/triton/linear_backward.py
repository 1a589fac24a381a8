"""The gradients of linear layers: the products are torch's, what is around them is fused."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.activation import slope
from raylm_kernels.triton.gemm import cdiv

_BLOCK = 2048


@triton.jit
def activation_backward_kernel(
    grad_ptr, y_ptr, out_ptr, size, ACTIVATION: tl.constexpr, BLOCK: tl.constexpr
):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    grad = tl.load(grad_ptr + at, inside).to(tl.float32)
    y = tl.load(y_ptr + at, inside).to(tl.float32)
    tl.store(out_ptr + at, (grad * slope(y, ACTIVATION)).to(out_ptr.dtype.element_ty), inside)


def activation_backward(grad: Tensor, y: Tensor, activation: str) -> Tensor:
    """The gradient by y of activation(y)."""
    grad, y = grad.contiguous(), y.contiguous()
    out = torch.empty_like(y)
    activation_backward_kernel[(cdiv(y.numel(), _BLOCK),)](
        grad, y, out, y.numel(), ACTIVATION=activation, BLOCK=_BLOCK
    )
    return out


def linear_backward(grad: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None) -> list[Tensor]:
    """The gradients by x, by the weight and, where there is one, by the bias."""
    flat = grad.reshape(-1, grad.shape[-1])
    grad_weight = flat.t() @ x.reshape(-1, x.shape[-1])
    return [grad @ weight, grad_weight, *([] if bias is None else [flat.sum(0)])]
