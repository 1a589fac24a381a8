"""Sampling."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw


def _sample(draw: Draw) -> Iterator[Arguments]:
    uniform = (draw.integers(1000, 6) / 1000).to(draw.dtype)
    temperature = torch.tensor([0.0, 1.0, 0.5, 2.0, 1.0, 1.0], device=draw.device)
    top_k = torch.tensor([0, 3, 0, 1, 5, 0], device=draw.device)
    top_p = torch.tensor([1.0, 1.0, 0.8, 1.0, 0.5, 1.0], device=draw.device)
    min_p = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.2], device=draw.device)
    settings = (
        t.to(draw.dtype) if t.is_floating_point() else t for t in (temperature, top_k, top_p, min_p)
    )
    yield draw.normal(6, 50, scale=3.0), uniform, *settings


CASES: Mapping[str, Cases] = {
    "sample": _sample,
}
