"""Losses."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _targets(draw: Draw, vocabulary: int, tokens: int) -> Tensor:
    targets = draw.integers(vocabulary, tokens)
    targets[1::3] = -100
    return targets


def _cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for tokens, vocabulary in ((1, 2), (7, 33), (4, 1000), (0, 5)):
        yield draw.normal(tokens, vocabulary, scale=4.0), _targets(draw, vocabulary, tokens)


def _linear_cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for tokens, width, vocabulary in ((1, 4, 2), (7, 16, 33), (0, 8, 5)):
        weight = draw.normal(vocabulary, width, scale=0.5)
        yield draw.normal(tokens, width), weight, _targets(draw, vocabulary, tokens)


def _linear_cross_entropy_gradients(draw: Draw) -> Iterator[Arguments]:
    for hidden, *others in _linear_cross_entropy(draw):
        yield hidden, *others, draw.normal(len(hidden))


def _token_logprobs(draw: Draw) -> Iterator[Arguments]:
    for tokens, vocabulary in ((1, 2), (7, 33), (0, 5)):
        tokens_N = draw.integers(vocabulary, tokens)
        yield draw.normal(tokens, vocabulary, scale=2.0), tokens_N, 0.7


CASES: Mapping[str, Cases] = {
    "cross_entropy": _cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_cross_entropy_gradients": _linear_cross_entropy_gradients,
    "token_logprobs": _token_logprobs,
}
