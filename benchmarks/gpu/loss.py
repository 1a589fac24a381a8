"""Losses over the vocabulary of Llama 3."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

TOKENS, VOCABULARY, WIDTH = 8192, 128_256, 4096
_BYTES = 2 * TOKENS * VOCABULARY  # of the logits in bf16
_SHAPE = f"{TOKENS} x {VOCABULARY}"


def _logits(draw: Draw) -> Arguments:
    return draw.normal(TOKENS, VOCABULARY, scale=4.0), draw.integers(VOCABULARY, TOKENS)


def _with_grad(draw: Draw) -> Arguments:
    return [draw.normal(TOKENS, dtype=torch.float32)], *_logits(draw)


def _with_temperature(draw: Draw) -> Arguments:
    return *_logits(draw), 0.7


def _with_grads(draw: Draw) -> Arguments:
    grads = [draw.normal(TOKENS, dtype=torch.float32) for _ in range(2)]
    return grads, *_with_temperature(draw)


def _eager(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    return F.cross_entropy(logits_NV, targets_N, reduction="none")


def _head(draw: Draw) -> Arguments:
    hidden = draw.normal(TOKENS, WIDTH)
    weight = draw.normal(VOCABULARY, WIDTH, scale=0.02)
    return hidden, weight, draw.integers(VOCABULARY, TOKENS)


def _weighted_head(draw: Draw) -> Arguments:
    return *_head(draw), torch.full((TOKENS,), 1 / TOKENS, device=draw.device)


def _whole_logits(
    hidden_NE: Tensor, weight_VE: Tensor, targets_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, ...]:
    leaves = [t.detach().requires_grad_() for t in (hidden_NE, weight_VE)]
    losses = _eager(F.linear(*leaves).float(), targets_N)
    return torch.autograd.grad((losses * weights_N).sum(), leaves)


ROWS: Rows = (
    Row("cross_entropy", _SHAPE, _logits, nbytes=_BYTES, of_copy=0.85, rivals={"eager": _eager}),
    Row("cross_entropy_backward", _SHAPE, _with_grad, nbytes=2 * _BYTES, of_copy=0.85),
    Row("token_logprobs", _SHAPE, _with_temperature, nbytes=_BYTES, of_copy=0.85),
    Row("token_logprobs_backward", _SHAPE, _with_grads, nbytes=2 * _BYTES, of_copy=0.85),
    Row(
        "linear_cross_entropy",
        f"{_SHAPE} x {WIDTH}",
        _head,
        flops=2 * TOKENS * VOCABULARY * WIDTH,
        rivals={"eager": lambda hidden, weight, targets: _eager(F.linear(hidden, weight), targets)},
    ),
    Row(  # it holds a quarter of the logits and fp32 gradients of the weight: 2.6 GB; eager 15 GB
        "linear_cross_entropy_gradients",
        f"{_SHAPE} x {WIDTH}",
        _weighted_head,
        flops=6 * TOKENS * VOCABULARY * WIDTH,
        rivals={"eager": _whole_logits},
        times={"eager": 1.0},
    ),
)
