"""Optimizer steps and gradients."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.reference.numbers import wide


def _adamw_step(draw: Draw) -> Iterator[Arguments]:
    for size, step in ((1, 1), (100, 7), (0, 1), (1025, 3)):
        parameters, gradients, average = (draw.normal(size) for _ in range(3))
        yield (parameters, gradients, average, draw.normal(size).square(), step, 0.1)
    parameters, average, square = (wide(draw.normal(70)) for _ in range(3))
    yield parameters, draw.normal(70), average, square.square(), 2, 0.1, 0.8, 0.95, 1e-6, 0.1


def _lion_step(draw: Draw) -> Iterator[Arguments]:
    for size in (1, 100, 0, 1025):
        yield (*(draw.normal(size) for _ in range(3)), 0.1)
    yield wide(draw.normal(70)), draw.normal(70), wide(draw.normal(70)), 0.1, 0.8, 0.95, 0.2


def _lists(draw: Draw) -> Iterator[list[Tensor]]:
    yield [draw.normal(3, 5), draw.normal(1), draw.normal(0)]
    many = [draw.normal(size) for size in range(1, 19)]  # more than fit into one launch
    yield [*many, draw.normal(8193), draw.normal(34)[1:], wide(draw.normal(2, 7))]


def _squared_norm(draw: Draw) -> Iterator[Arguments]:
    for gradients in _lists(draw):
        yield (gradients,)
    yield ([draw.normal(6, 4).t(), torch.full_like(draw.normal(2), torch.inf)],)


def _unscale_and_clip(draw: Draw) -> Iterator[Arguments]:
    for max_norm in (0.5, 1e6):
        for gradients in _lists(draw):
            norm = torch.stack([wide(g).square().sum() for g in gradients]).sum()
            yield gradients, norm, 4.0, max_norm


CASES: Mapping[str, Cases] = {
    "adamw_step": _adamw_step,
    "lion_step": _lion_step,
    "squared_norm": _squared_norm,
    "unscale_and_clip": _unscale_and_clip,
}
