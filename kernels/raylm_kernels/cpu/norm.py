"""RMS norm, alone and of a sum, and its gradients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from raylm_kernels.cpu.compiled import address, are_fp32, compiled, kernels
from raylm_kernels.reference import norm


@compiled(norm.rms_norm, lambda x, weight, eps: are_fp32(weight) and x.numel() > 0)
def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return _forward(x, None, weight, eps)[0]


@compiled(
    norm.add_rms_norm,
    lambda x, residual, weight, eps: are_fp32(residual, weight) and x.numel() > 0,
)
def add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _forward(x, residual, weight, eps)


@compiled("rms_norm_backward", lambda grads, x, weight, eps: are_fp32(x, weight) and x.numel() > 0)
def rms_norm_backward(
    grads: Sequence[Tensor], x: Tensor, weight: Tensor, eps: float
) -> list[Tensor]:
    return _backward(grads[0], None, x, None, weight, eps)


@compiled(
    "add_rms_norm_backward",
    lambda grads, x, residual, weight, eps: (
        grads[0] is not None and are_fp32(x, residual, weight) and x.numel() > 0
    ),
)
def add_rms_norm_backward(
    grads: Sequence[Tensor | None], x: Tensor, residual: Tensor, weight: Tensor, eps: float
) -> list[Tensor]:
    grad, grad_total = grads
    assert grad is not None
    grad_x, grad_weight = _backward(grad, grad_total, x, residual, weight, eps)
    return [grad_x, grad_x.clone(), grad_weight]


def _forward(
    x: Tensor, residual: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    x, weight = x.contiguous(), weight.contiguous()
    residual = _contiguous(residual)
    y, total = torch.empty_like(x), None if residual is None else torch.empty_like(x)
    kernels().raylm_rms_norm(
        address(x),
        address(residual),
        address(weight),
        x.numel() // len(weight),
        len(weight),
        eps,
        address(total),
        address(y),
        torch.get_num_threads(),
    )
    return y, x if total is None else total


def _backward(
    grad: Tensor,
    addend: Tensor | None,
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    eps: float,
) -> list[Tensor]:
    grad, x, weight = grad.contiguous(), x.contiguous(), weight.contiguous()
    addend, residual = _contiguous(addend), _contiguous(residual)
    grad_x, grad_weight = torch.empty_like(x), torch.empty_like(weight)
    kernels().raylm_rms_norm_backward(
        address(grad),
        address(addend),
        address(x),
        address(residual),
        address(weight),
        x.numel() // len(weight),
        len(weight),
        eps,
        address(grad_x),
        address(grad_weight),
        torch.get_num_threads(),
    )
    return [grad_x, grad_weight]


def _contiguous(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.contiguous()
