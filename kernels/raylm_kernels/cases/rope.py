"""Rotary positions."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _rope(draw: Draw) -> Iterator[Arguments]:
    for tokens, heads, size in ((1, 1, 2), (6, 3, 20), (5, 2, 128), (0, 2, 64)):
        yield (
            draw.normal(tokens, heads, size),
            draw.integers(300, tokens),
            frequencies(draw, size),
            1.2,
        )
    apart = draw.normal(5, 7, 64)[:, 1:4], draw.normal(3, 64, 2).mT
    for x in (draw.normal(2, 40, 96), *apart):
        inv_freq = frequencies(draw, x.shape[-1]).float()
        yield x, draw.integers(300, len(x)).int(), inv_freq, 1.0


def _rope_and_store(draw: Draw) -> Iterator[Arguments]:
    for tokens, heads, kv_heads, size in ((1, 2, 1, 32), (6, 4, 2, 64)):
        q, k = draw.normal(tokens, heads, size), draw.normal(tokens, kv_heads, size)
        caches = [draw.normal(16, kv_heads, size) for _ in "kv"]
        slots = draw.permutation(16)[:tokens]
        positions, inv_freq = draw.integers(300, tokens), frequencies(draw, size)
        yield q, k, draw.normal(*k.shape), positions, inv_freq, *caches, slots, 1.0
    q, k, v = torch.split(draw.normal(5, 9, 40), [5, 2, 2], dim=1)
    caches = [cache.transpose(0, 1) for cache in draw.normal(2, 2, 16, 40)]
    slots, positions = draw.permutation(16)[:5].int(), draw.integers(300, 5).int()
    yield q, k, v, positions, frequencies(draw, 40), *caches, slots, 0.9


def frequencies(draw: Draw, size: int) -> Tensor:
    exponents = torch.arange(0, size, 2, device=draw.device) / size
    return (10_000.0**-exponents).to(draw.dtype)


CASES: Mapping[str, Cases] = {
    "rope": _rope,
    "rope_and_store": _rope_and_store,
}
