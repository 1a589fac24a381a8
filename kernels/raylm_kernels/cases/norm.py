"""Normalisation."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rows import grouped_rows, rows, spoilt_rows


def _rms_norm(draw: Draw) -> Iterator[Arguments]:
    for x in (*rows(draw), *_long_rows(draw)):
        yield x, draw.normal(x.shape[-1]), 1e-5
    yield torch.zeros_like(draw.normal(2, 64)), draw.normal(64), 1e-5
    yield draw.normal(9, 64), draw.normal(64).float(), 1e-5


def _add_rms_norm(draw: Draw) -> Iterator[Arguments]:
    for x in (*rows(draw), *_long_rows(draw)):
        yield x, draw.normal(*x.shape), draw.normal(x.shape[-1]), 1e-5
    yield draw.normal(9, 64).half(), draw.normal(9, 64), draw.normal(64), 1e-5


def _rms_norm_int8(draw: Draw) -> Iterator[Arguments]:
    for x in (*grouped_rows(draw), spoilt_rows(draw, 64)):
        yield x, draw.normal(x.shape[-1]), 1e-5


def _layer_norm(draw: Draw) -> Iterator[Arguments]:
    for x in (*rows(draw), *_long_rows(draw)):
        yield x, draw.normal(x.shape[-1]), draw.normal(x.shape[-1]), 1e-5
        yield x, draw.normal(x.shape[-1]), None, 1e-5


def _long_rows(draw: Draw) -> Iterator[Tensor]:
    yield draw.normal(2, 16_385) + 3.0


def _norm_linear(draw: Draw) -> Iterator[Arguments]:
    for activation in ("none", "relu", "silu", "gelu", "gelu_tanh"):
        x = draw.normal(3, 64)
        yield x, draw.normal(64), draw.normal(48, 64, scale=0.1), draw.normal(48), activation, 1e-5
    for tokens, inputs, outputs in ((1, 513, 33), (17, 33, 70), (65, 40, 72), (130, 40, 16)):
        weight = draw.normal(outputs, inputs, scale=0.1)
        yield draw.normal(tokens, inputs), draw.normal(inputs), weight, None, "silu", 1e-5
    yield draw.normal(2, 64), draw.normal(64).float(), draw.normal(9, 64), None, "none", 1e-5
    yield draw.normal(0, 32), draw.normal(32), draw.normal(8, 32), None, "silu", 1e-5
    yield draw.normal(1, 33), draw.normal(33), draw.normal(7, 33), draw.normal(7), "none", 1e-5


CASES: Mapping[str, Cases] = {
    "add_rms_norm": _add_rms_norm,
    "layer_norm": _layer_norm,
    "norm_linear": _norm_linear,
    "rms_norm": _rms_norm,
    "rms_norm_int8": _rms_norm_int8,
}
