"""Cross-entropy, and its gradient."""

from collections.abc import Sequence
from ctypes import byref, c_int64

import torch
from torch import Tensor

from raylm_kernels.arguments import refuse
from raylm_kernels.cpu.compiled import address, are_fp32, compiled, kernels
from raylm_kernels.reference import loss


@compiled(loss.cross_entropy, lambda logits_NV, targets_N: logits_NV.numel() > 0)
def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    logits, targets = logits_NV.contiguous(), targets_N.long().contiguous()
    losses = logits.new_empty(len(logits))
    wrong = c_int64()
    kernels().raylm_cross_entropy(
        *map(address, (logits, targets)),
        *logits.shape,
        address(losses),
        byref(wrong),
        torch.get_num_threads(),
    )
    _require_places("cross_entropy", targets, wrong.value, logits.shape[1])
    return losses


@compiled(
    "cross_entropy_backward",
    lambda grads, logits_NV, targets_N: are_fp32(logits_NV) and logits_NV.numel() > 0,
)
def cross_entropy_backward(
    grads: Sequence[Tensor], logits_NV: Tensor, targets_N: Tensor
) -> list[Tensor]:
    gradient = torch.empty_like(logits_NV, memory_format=torch.contiguous_format)
    _put_gradient("cross_entropy", logits_NV.contiguous(), targets_N, grads[0], gradient)
    return [gradient]


@compiled(
    loss.linear_cross_entropy_gradients,
    lambda hidden_NE, weight_VE, targets_N, weights_N: (
        are_fp32(weight_VE, weights_N) and min(hidden_NE.numel(), weight_VE.numel()) > 0
    ),
)
def linear_cross_entropy_gradients(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    total = hidden_NE.new_zeros(())
    grad_hidden = torch.empty_like(hidden_NE, memory_format=torch.contiguous_format)
    grad_weight = torch.empty_like(weight_VE, memory_format=torch.contiguous_format)
    parts = list(loss.chunks(len(hidden_NE), len(weight_VE)))
    buffer = hidden_NE.new_empty(len(hidden_NE[parts[0]]), len(weight_VE))
    for rows in parts:
        hidden, weights = hidden_NE[rows], weights_N[rows]
        logits = torch.mm(hidden, weight_VE.T, out=buffer[: len(hidden)])
        name = "linear_cross_entropy_gradients"
        losses = _put_gradient(name, logits, targets_N[rows], weights, logits, rows.start)
        total += losses @ weights
        torch.mm(logits, weight_VE, out=grad_hidden[rows])
        torch.addmm(
            grad_weight, logits.T, hidden, beta=0 if rows.start == 0 else 1, out=grad_weight
        )
    return total, grad_hidden, grad_weight


def _put_gradient(
    name: str,
    logits_NV: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    gradient_NV: Tensor,
    first: int = 0,
) -> Tensor:
    """Losses; (softmax - one_hot) * weight goes to `gradient_NV`, which may be `logits_NV`."""
    targets, weights = targets_N.long().contiguous(), weights_N.contiguous()
    losses = logits_NV.new_empty(len(targets))
    wrong = c_int64()
    kernels().raylm_cross_entropy_gradient(
        *map(address, (logits_NV, targets, weights)),
        *logits_NV.shape,
        address(losses),
        address(gradient_NV),
        byref(wrong),
        torch.get_num_threads(),
    )
    _require_places(name, targets, wrong.value, logits_NV.shape[1], first)
    return losses


def _require_places(
    name: str, targets: Tensor, wrong: int, vocabulary: int, first: int = 0
) -> None:
    """`first`: the place of the first of these targets."""
    if wrong >= 0:
        expected = f"{loss.IGNORED} or a token in [0, {vocabulary})"
        refuse(name, f"targets_N[{first + wrong}]", expected, int(targets[wrong]))
