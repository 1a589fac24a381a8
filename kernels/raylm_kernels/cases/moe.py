"""Mixture of experts."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _route_top_k(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k, renormalise in (
        (5, 8, 2, True),
        (3, 4, 4, False),
        (0, 4, 1, True),
        (7, 5, 3, False),
        (2, 1, 1, True),
        (33, 60, 8, True),  # more than a block of tokens
    ):
        yield _distinct(draw, tokens, experts), k, renormalise
    yield _distinct(draw, 12, 9)[::2, 1:], 2, True
    masked = _distinct(draw, 4, 6)
    masked[:, ::2] = float("-inf")
    yield masked, 2, True


def _distinct(draw: Draw, tokens: int, experts: int) -> torch.Tensor:
    """Logits of which no two of a token are equal: PyTorch leaves open which of them it chooses."""
    ranks = draw.normal(tokens, experts).float().argsort(-1)
    return ((ranks - experts / 2) * 8 / experts + draw.normal(tokens, 1)).to(draw.dtype)


def _permute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k in ((6, 4, 2), (1, 8, 1), (0, 4, 2), (70, 5, 2), (3, 300, 3)):
        yield draw.normal(tokens, 16), draw.integers(experts, tokens, k), experts
    one = torch.zeros(4, 2, dtype=torch.int32, device=draw.device)
    yield draw.normal(8, 35)[::2, 1:], one, 3  # all to the same expert


def _unpermute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, k in ((6, 2), (1, 1), (0, 2), (5, 3)):
        places = draw.permutation(tokens * k)
        yield draw.normal(tokens * k, 16), places, draw.normal(tokens, k)
    y, weights = draw.normal(6, 70)[:, ::2], draw.normal(2, 3)
    yield y, draw.permutation(6).int(), weights.float() if y.dtype != torch.float64 else weights
    yield draw.normal(2, 4100), draw.permutation(2), draw.normal(2, 1)


def _grouped_linear(draw: Draw) -> Iterator[Arguments]:
    for counts in ([3, 0, 2], [1], [0, 0], [0, 1, 0, 17], [5, 129]):
        weight = draw.normal(len(counts), 8, 16, scale=0.3)
        yield draw.normal(sum(counts), 16), weight, torch.tensor(counts, device=draw.device)
    many = torch.tensor([70, 0, 195], device=draw.device)
    yield draw.normal(265, 128), draw.normal(3, 192, 128, scale=0.1), many
    for rows, counts in ((140, [70, 0, 3]), (4, [0, 0, 0])):  # rows of no group
        weight = draw.normal(3, 24, 16, scale=0.3)
        yield draw.normal(rows, 16), weight, torch.tensor(counts, device=draw.device)
    uneven = torch.tensor([129, 0, 65], dtype=torch.int32, device=draw.device)
    weight = draw.normal(3, 35, 70, scale=0.2).transpose(1, 2)
    yield draw.normal(194, 37)[:, 1:-1], weight, uneven


CASES: Mapping[str, Cases] = {
    "grouped_linear": _grouped_linear,
    "permute_tokens": _permute_tokens,
    "route_top_k": _route_top_k,
    "unpermute_tokens": _unpermute_tokens,
}
