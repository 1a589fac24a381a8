"""Optimizer steps over flat shards in one pass, and the norm of gradients."""

from ctypes import byref, c_double

import torch
from torch import Tensor

from raylm_kernels.cpu.compiled import address, are_fp32, compiled, kernels
from raylm_kernels.reference import optimizer


def _are_flat(*tensors: Tensor) -> bool:
    return are_fp32(*tensors) and all(t.is_contiguous() for t in tensors)


@compiled(
    optimizer.adamw_step,
    lambda parameters, gradients, average, square, *settings: _are_flat(
        parameters, gradients, average, square
    ),
)
def adamw_step(
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
    kernels().raylm_adamw_step(
        *map(address, (parameters, gradients, average, square)),
        parameters.numel(),
        *(lr, 1 - beta1, beta2, 1 - beta2, eps, weight_decay, 1 - beta1**step, 1 - beta2**step),
        torch.get_num_threads(),
    )


@compiled(
    optimizer.lion_step,
    lambda parameters, gradients, average, *settings: _are_flat(parameters, gradients, average),
)
def lion_step(
    parameters: Tensor,
    gradients: Tensor,
    average: Tensor,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
) -> None:
    kernels().raylm_lion_step(
        *map(address, (parameters, gradients, average)),
        parameters.numel(),
        *(lr, 1 - beta1, 1 - beta2, weight_decay),
        torch.get_num_threads(),
    )


@compiled(optimizer.squared_norm, lambda gradients: _are_flat(*gradients))
def squared_norm(gradients: list[Tensor]) -> Tensor:
    total, part = 0.0, c_double()
    for gradient in gradients:
        kernels().raylm_squared_norm(
            address(gradient), gradient.numel(), byref(part), torch.get_num_threads()
        )
        total += part.value
    return gradients[0].new_tensor(total)
