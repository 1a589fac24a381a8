"""Sampling."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _sample(draw: Draw) -> Iterator[Arguments]:
    temperature = [0.0, 1.0, 0.5, 2.0, 1.0, 1.0]
    top_k, top_p = [0, 3, 0, 1, 5, 0], [1.0, 1.0, 0.8, 1.0, 0.5, 1.0]
    min_p = [0.0, 0.0, 0.0, 0.0, 0.0, 0.2]
    yield _call(draw, draw.normal(6, 50, scale=3.0), temperature, top_k, top_p, min_p)
    ties = draw.integers(4, 6, 50).to(draw.dtype)
    ties[:, ::3] = -torch.inf
    yield _call(draw, ties, [1.0] * 6, [0, 7, 30, 60, 0, 20], [0.7, 1.0, 0.4, 0.9, 0.0, 1.0], min_p)
    long = draw.normal(3, 8200, scale=3.0)
    yield _call(draw, long, [1.0, 1.5, 0.0], [0, 40, 0], [1.0, 0.9, 1.0], [0.0, 0.01, 0.0])
    yield _call(draw, draw.normal(2, 1), [1.0, 0.0], [0, 1], [0.5, 1.0], [0.0, 1.0])


def _call(
    draw: Draw,
    logits_NV: Tensor,
    temperature: list[float],
    top_k: list[int],
    top_p: list[float],
    min_p: list[float],
) -> Arguments:
    uniform = (draw.integers(1000, len(logits_NV)) / 1000).to(draw.dtype)
    heat, nucleus, least = (
        torch.tensor(numbers, device=draw.device).to(draw.dtype)
        for numbers in (temperature, top_p, min_p)
    )
    return logits_NV, uniform, heat, torch.tensor(top_k, device=draw.device), nucleus, least


CASES: Mapping[str, Cases] = {
    "sample": _sample,
}
