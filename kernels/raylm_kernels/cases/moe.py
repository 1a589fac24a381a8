"""Mixture of experts."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _route_top_k(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k, renormalise in ((5, 8, 2, True), (3, 4, 4, False), (0, 4, 1, True)):
        yield draw.normal(tokens, experts, scale=2.0), k, renormalise


def _permute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k in ((6, 4, 2), (1, 8, 1), (0, 4, 2)):
        yield draw.normal(tokens, 16), draw.integers(experts, tokens, k), experts


def _unpermute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, k in ((6, 2), (1, 1), (0, 2)):
        places = draw.permutation(tokens * k)
        yield draw.normal(tokens * k, 16), places, draw.normal(tokens, k)


def _grouped_linear(draw: Draw) -> Iterator[Arguments]:
    for counts in ([3, 0, 2], [1], [0, 0]):
        weight = draw.normal(len(counts), 8, 16, scale=0.3)
        yield draw.normal(sum(counts), 16), weight, torch.tensor(counts, device=draw.device)


CASES: Mapping[str, Cases] = {
    "grouped_linear": _grouped_linear,
    "permute_tokens": _permute_tokens,
    "route_top_k": _route_top_k,
    "unpermute_tokens": _unpermute_tokens,
}
