"""Normalisation, alone and with what stands beside it in a transformer block."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_last, require_like, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.gated import ACTIVATIONS, Activation
from raylm_kernels.reference.numbers import wide
from raylm_kernels.reference.quantize import int8_groups, require_groups


def _check_rms_norm(x: Tensor, weight: Tensor, eps: float) -> None:
    require_last("rms_norm", "weight", weight, x)


@op(gradients=("x", "weight"), check=_check_rms_norm)
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in fp32
    (Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467)."""
    return _rms_norm(x, weight, eps)


def _check_add_rms_norm(x: Tensor, residual: Tensor, weight: Tensor, eps: float) -> None:
    require_like("add_rms_norm", "residual", residual, x)
    require_last("add_rms_norm", "weight", weight, x)


@op(gradients=("x", "residual", "weight"), check=_check_add_rms_norm)
def add_rms_norm(
    x: Tensor, residual: Tensor, weight: Tensor, eps: float = 1e-6
) -> tuple[Tensor, Tensor]:
    """rms_norm of x + residual, and the sum."""
    total = x + residual
    return _rms_norm(total, weight, eps), total


def _check_rms_norm_int8(x: Tensor, weight: Tensor, eps: float) -> None:
    require_last("rms_norm_int8", "weight", weight, x)
    require_groups("rms_norm_int8", "x", x)


@op(check=_check_rms_norm_int8)
def rms_norm_int8(x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """rms_norm of x in int8: codes of x's shape, and an fp32 scale for every 32 of a row."""
    return int8_groups(_rms_norm(x.float(), weight, eps))


def _check_layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None, eps: float) -> None:
    require_last("layer_norm", "weight", weight, x)
    if bias is not None:
        require_last("layer_norm", "bias", bias, x)


@op(gradients=("x", "weight", "bias"), check=_check_layer_norm)
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias over the last dimension, in fp32
    (Ba et al. 2016, https://arxiv.org/abs/1607.06450)."""
    value = wide(x)
    centred = value - value.mean(-1, keepdim=True)
    normed = centred * torch.rsqrt(centred.square().mean(-1, keepdim=True) + eps)
    scaled = normed * weight.to(value.dtype)
    return (scaled if bias is None else scaled + bias.to(value.dtype)).to(x.dtype)


def _check_norm_linear(
    x: Tensor, norm_weight: Tensor, weight: Tensor, bias: Tensor | None, activation: str, eps: float
) -> None:
    name = "norm_linear"
    require_last(name, "norm_weight", norm_weight, x)
    require(weight.ndim == 2, name, "weight", "two dimensions", weight)
    require_shape(name, "weight", weight, (weight.shape[0], x.shape[-1]))
    if bias is not None:
        require_shape(name, "bias", bias, (weight.shape[0],))
    require(
        activation in ACTIVATIONS, name, "activation", f"one of {list(ACTIVATIONS)}", activation
    )


@op(gradients=("x", "norm_weight", "weight", "bias"), check=_check_norm_linear)
def norm_linear(
    x: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    activation: str = "none",
    eps: float = 1e-6,
) -> Tensor:
    """activation(rms_norm(x) weight^T + bias), as an MLP or a projection begins."""
    y = torch.nn.functional.linear(_rms_norm(x, norm_weight, eps), weight, bias)
    activate: Activation = ACTIVATIONS[activation]
    return activate(y)


def _rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    value = wide(x)
    normed = value * torch.rsqrt(value.square().mean(-1, keepdim=True) + eps)
    return (normed * weight.to(value.dtype)).to(x.dtype)
