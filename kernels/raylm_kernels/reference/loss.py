"""Losses of language models, per token; the fused one never holds the logits of all tokens."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from raylm_kernels.arguments import require, require_integers, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide

IGNORED = -100
"""The target of a token that does not count."""

_LEAST_LOG_P = -1e30
"""Times a probability of 0 it is 0, and so is its gradient."""

_LEAST_CHUNK_BYTES = 8 * 2**20  # of fp32 logits that the fused loss holds at once
_MOST_CHUNK_BYTES = 256 * 2**20


def _check_targets(op: str, name: str, rows: Tensor, targets_N: Tensor) -> None:
    require(rows.ndim == 2, op, name, "two dimensions", rows)
    require_integers(op, "targets_N", targets_N)
    require_shape(op, "targets_N", targets_N, (rows.shape[0],))


def _check_cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> None:
    _check_targets("cross_entropy", "logits_NV", logits_NV, targets_N)


@op(gradients=("logits_NV",), check=_check_cross_entropy)
def cross_entropy(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    """-log softmax(logits)[target] of each token in fp32; 0 where the target is -100."""
    value = wide(logits_NV)
    counts = targets_N != IGNORED
    loss = value.logsumexp(-1) - _picked(value, targets_N)
    return torch.where(counts, loss, 0.0)


def _check_linear_cross_entropy(hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor) -> None:
    name = "linear_cross_entropy"
    _check_targets(name, "hidden_NE", hidden_NE, targets_N)
    require(weight_VE.ndim == 2, name, "weight_VE", "two dimensions", weight_VE)
    require_shape(name, "weight_VE", weight_VE, (weight_VE.shape[0], hidden_NE.shape[1]))


def _linear_cross_entropy_backward(
    grads: Sequence[Tensor | None], hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor
) -> list[Tensor]:
    """(softmax(logits) - one_hot(target)) * grad, some tokens at a time."""
    [grad] = grads
    assert grad is not None
    return list(_with_gradients(hidden_NE, weight_VE, targets_N, grad)[1:])


@op(
    gradients=("hidden_NE", "weight_VE"),
    check=_check_linear_cross_entropy,
    backward=_linear_cross_entropy_backward,
)
def linear_cross_entropy(hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor) -> Tensor:
    """cross_entropy(hidden weight^T, targets), whose logits exist for some tokens at a time."""
    losses = wide(hidden_NE.new_empty(len(hidden_NE)))
    for rows in chunks(len(hidden_NE), len(weight_VE)):
        value, targets = wide(linear(hidden_NE[rows], weight_VE)), targets_N[rows]
        loss = value.logsumexp(-1) - _picked(value, targets)
        losses[rows] = torch.where(targets != IGNORED, loss, 0.0)
    return losses


def _check_gradients(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> None:
    _check_linear_cross_entropy(hidden_NE, weight_VE, targets_N)
    name = "linear_cross_entropy_gradients"
    require_shape(name, "weights_N", weights_N, (len(hidden_NE),))


@op(check=_check_gradients)
def linear_cross_entropy_gradients(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """sum(weights * linear_cross_entropy(...)) and its gradients by hidden and weight, for which
    the logits need not be computed twice."""
    return _with_gradients(hidden_NE, weight_VE, targets_N, weights_N)


def _with_gradients(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """By the logits they are (softmax - one_hot(target)) * weight, some tokens at a time."""
    total = wide(hidden_NE.new_zeros(()))
    grad_hidden = torch.empty_like(hidden_NE)
    grad_weight = torch.zeros_like(wide(weight_VE))
    for rows in chunks(len(hidden_NE), len(weight_VE)):
        hidden, targets = hidden_NE[rows], targets_N[rows]
        log_p = wide(linear(hidden, weight_VE)).log_softmax(-1)
        weights = torch.where(targets != IGNORED, weights_N[rows].to(log_p.dtype), 0.0)
        picked = _picked(log_p, targets)
        total -= torch.where(targets != IGNORED, picked * weights, 0.0).sum()
        share = log_p.exp_()
        share.scatter_add_(-1, _places(targets), -torch.ones_like(share[:, :1]))
        share *= weights[:, None]
        grad_hidden[rows] = (share @ weight_VE.to(share.dtype)).to(hidden_NE.dtype)
        grad_weight.addmm_(share.T, hidden.to(share.dtype))
    return total, grad_hidden, grad_weight.to(weight_VE.dtype)


def _check_token_logprobs(logits_NV: Tensor, tokens_N: Tensor, temperature: float) -> None:
    _check_targets("token_logprobs", "logits_NV", logits_NV, tokens_N)
    require(temperature > 0, "token_logprobs", "temperature", "more than 0", temperature)


@op(gradients=("logits_NV",), check=_check_token_logprobs)
def token_logprobs(
    logits_NV: Tensor, tokens_N: Tensor, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """log p of each token, and the entropy of the distribution it is drawn from, in fp32."""
    log_p = (wide(logits_NV) / temperature).log_softmax(-1)
    entropy = -(log_p.exp() * log_p.clamp(min=_LEAST_LOG_P)).sum(-1)
    return _picked(log_p, tokens_N), entropy


def _picked(values_NV: Tensor, targets_N: Tensor) -> Tensor:
    return values_NV.gather(-1, _places(targets_N))[:, 0]


def _places(targets_N: Tensor) -> Tensor:
    return torch.where(targets_N == IGNORED, 0, targets_N).long()[:, None]


def chunks(tokens: int, vocabulary: int) -> Iterator[slice]:
    """A twelfth of the tokens each, in bounds: a product of few rows is slow, and all gradients of
    the weight are read and written with each; large ones gain nothing more."""
    row_bytes = 4 * max(1, vocabulary)
    least, most = _LEAST_CHUNK_BYTES // row_bytes, _MOST_CHUNK_BYTES // row_bytes
    rows = max(1, min(max(-(-tokens // 12), least), most))
    return (slice(first, first + rows) for first in range(0, tokens, rows))
