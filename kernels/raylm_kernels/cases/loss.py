"""Losses."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _targets(draw: Draw, vocabulary: int, tokens: int) -> Tensor:
    targets = draw.integers(vocabulary, tokens)
    targets[1::3] = -100
    return targets


def _logits(draw: Draw) -> Iterator[Tensor]:
    yield draw.normal(1, 2)
    for tokens, vocabulary in ((7, 33), (4, 1000), (0, 5)):
        yield draw.normal(tokens, vocabulary, scale=4.0)
    yield draw.normal(40, 3, scale=4.0).t()  # columns apart
    yield draw.normal(9, 70, scale=4.0)[:, :65]  # rows apart
    yield draw.normal(2, 20_000, scale=4.0)  # too long to be held at once


def _cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for logits in _logits(draw):
        tokens, vocabulary = logits.shape
        yield logits, _targets(draw, vocabulary, tokens)
        targets = _targets(draw, vocabulary, tokens).int()
        yield _masked(logits, targets), targets


def _masked(logits: Tensor, tokens: Tensor) -> Tensor:
    """Of the others every third can come."""
    masked = torch.full_like(logits, -torch.inf)
    masked[:, ::3] = logits[:, ::3]
    places = torch.where(tokens == -100, 0, tokens).long()[:, None]
    return masked.scatter_(1, places, logits.gather(1, places))


def _linear_cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for tokens, width, vocabulary in ((1, 4, 2), (7, 16, 33), (0, 8, 5)):
        weight = draw.normal(vocabulary, width, scale=0.5)
        yield draw.normal(tokens, width), weight, _targets(draw, vocabulary, tokens)


def _linear_cross_entropy_gradients(draw: Draw) -> Iterator[Arguments]:
    for hidden, *others in _linear_cross_entropy(draw):
        yield hidden, *others, draw.normal(len(hidden))


def _token_logprobs(draw: Draw) -> Iterator[Arguments]:
    for logits in _logits(draw):
        tokens, vocabulary = logits.shape
        tokens_N = draw.integers(vocabulary, tokens)
        yield logits, tokens_N, 0.7
        yield _masked(logits, tokens_N), tokens_N, 1.3


CASES: Mapping[str, Cases] = {
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_cross_entropy_gradients": _linear_cross_entropy_gradients,
    "token_logprobs": _token_logprobs,
}
