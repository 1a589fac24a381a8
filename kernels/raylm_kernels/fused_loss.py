"""The loss of a language model's head, differentiable, without its logits.

    loss = linear_cross_entropy_sum(hidden_NE, head.weight, targets_N, weights_N)
    loss.backward()

Gradients are computed beside the loss, while a part of the logits is at hand: as many products as
the loss over whole logits takes, instead of one more.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from raylm_kernels.reference.loss import linear_cross_entropy, linear_cross_entropy_gradients


def linear_cross_entropy_sum(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor | None = None
) -> Tensor:
    """sum(weights * cross_entropy(hidden weight^T, targets)) in fp32. `weights_N`, ones if left
    out, is not differentiated; targets of -100 do not count. Mean: weights of 1 / tokens."""
    if weights_N is None:
        weights_N = torch.ones(len(hidden_NE), device=hidden_NE.device)
    if torch.is_grad_enabled() and (hidden_NE.requires_grad or weight_VE.requires_grad):
        return _Sum.apply(hidden_NE, weight_VE, targets_N, weights_N)  # type: ignore[no-any-return, no-untyped-call]
    return (linear_cross_entropy(hidden_NE, weight_VE, targets_N) * weights_N).sum()


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *args: Tensor) -> Tensor:
        total, *ctx.gradients = linear_cross_entropy_gradients(*args)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError(
                "linear_cross_entropy_sum handed its gradients on in the first backward pass; "
                "compute the loss again for a second one"
            )
        [grad] = grads
        hidden, weight = (one.mul_(grad) for one in gradients)  # they are large: no copies
        return hidden, weight, None, None
