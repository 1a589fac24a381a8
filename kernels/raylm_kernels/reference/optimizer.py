"""Optimizer steps over flat shards, and what is done to gradients before."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_like
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide


def _check_adamw(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    square: Tensor,
    step: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
) -> None:
    for name, tensor in (("gradients", gradients), ("average", average), ("square", square)):
        require_like("adamw_step", name, tensor, parameters)
    require(step >= 1, "adamw_step", "step", "1 or more", step)


@op(mutates=("parameters", "average", "square"), check=_check_adamw)
def adamw_step(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    square: Tensor,
    step: float,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> None:
    """AdamW in place (Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101)."""
    gradient = gradients.to(parameters.dtype)
    average.lerp_(gradient, 1 - beta1)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    deviation = (square / (1 - beta2**step)).sqrt_().add_(eps)
    parameters.mul_(1 - lr * weight_decay)
    parameters.addcdiv_(average, deviation, value=-lr / (1 - beta1**step))


def _check_lion(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> None:
    require_like("lion_step", "gradients", gradients, parameters)
    require_like("lion_step", "average", average, parameters)


@op(mutates=("parameters", "average"), check=_check_lion)
def lion_step(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.99,
    weight_decay: float = 0.0,
) -> None:
    """Lion in place (Chen et al. 2023, https://arxiv.org/abs/2302.06675)."""
    gradient = gradients.to(parameters.dtype)
    parameters.mul_(1 - lr * weight_decay)
    parameters.add_(average.lerp(gradient, 1 - beta1).sign_(), alpha=-lr)
    average.lerp_(gradient, 1 - beta2)


@op()
def squared_norm(gradients: list[Tensor]) -> Tensor:
    """The sum of all squares in fp32 or more; NaN or infinite where any element is."""
    sums = [wide(gradient).square().sum() for gradient in gradients]
    return torch.stack(sums).sum()


@op(mutates=("gradients",))
def unscale_and_clip(
    gradients: list[Tensor], squared_norm: Tensor, scale: float, max_norm: float
) -> None:
    """Divide the gradients by the loss scale, and further so that their norm is at most `max_norm`.
    `squared_norm` is that of the scaled ones."""
    norm = squared_norm.sqrt() / scale
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0) / scale
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.dtype))
