"""Optimizer steps and gradients."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.reference.numbers import wide


def _adamw_step(draw: Draw) -> Iterator[Arguments]:
    for size, step in ((1, 1), (100, 7), (0, 1)):
        parameters, gradients, average = (draw.normal(size) for _ in range(3))
        yield (parameters, gradients, average, draw.normal(size).square(), step, 0.1)


def _lion_step(draw: Draw) -> Iterator[Arguments]:
    for size in (1, 100, 0):
        yield (*(draw.normal(size) for _ in range(3)), 0.1)


def _squared_norm(draw: Draw) -> Iterator[Arguments]:
    yield ([draw.normal(3, 5), draw.normal(1), draw.normal(0)],)


def _unscale_and_clip(draw: Draw) -> Iterator[Arguments]:
    for max_norm in (0.5, 1e6):
        gradients = [draw.normal(3, 5), draw.normal(1), draw.normal(0)]
        norm = torch.stack([wide(g).square().sum() for g in gradients]).sum()
        yield gradients, norm, 4.0, max_norm


CASES: Mapping[str, Cases] = {
    "adamw_step": _adamw_step,
    "lion_step": _lion_step,
    "squared_norm": _squared_norm,
    "unscale_and_clip": _unscale_and_clip,
}
