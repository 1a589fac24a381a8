"""Normalisation of rows."""

from collections.abc import Callable, Mapping
from typing import Any

from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels.testing import reference

TOKENS, WIDTH = 32_768, 4096
LONG_ROWS, LONG = 2048, 65_536
_SHAPE = f"{TOKENS} x {WIDTH}"
_BYTES = 2 * TOKENS * WIDTH  # of one tensor in bf16
_BAR = 0.88


def _rms(draw: Draw) -> Arguments:
    return draw.normal(TOKENS, WIDTH), draw.normal(WIDTH), 1e-6


def _long(draw: Draw) -> Arguments:
    return draw.normal(LONG_ROWS, LONG), draw.normal(LONG), 1e-6


def _added(draw: Draw) -> Arguments:
    x, weight, eps = _rms(draw)
    return x, draw.normal(TOKENS, WIDTH), weight, eps


def _layer(draw: Draw) -> Arguments:
    x, weight, eps = _rms(draw)
    return x, weight, draw.normal(WIDTH), eps


def _with_grads(
    arguments: Callable[[Draw], Arguments], count: int = 1
) -> Callable[[Draw], Arguments]:
    return lambda draw: (
        [draw.normal(TOKENS, WIDTH) for _ in range(count)],
        *arguments(draw),
    )


def _eager(op: str) -> Mapping[str, Callable[..., Any]]:
    return {"eager": reference(op)}


ROWS: Rows = (
    Row(
        "rms_norm",
        _SHAPE,
        _rms,
        nbytes=2 * _BYTES,
        of_copy=_BAR,
        rivals={
            **_eager("rms_norm"),
            "torch": lambda x, weight, eps: F.rms_norm(x, (WIDTH,), weight, eps),
        },
    ),
    Row(
        "rms_norm",
        f"{LONG_ROWS} x {LONG}",
        _long,
        nbytes=2 * 2 * LONG_ROWS * LONG,
        of_copy=_BAR,
        rivals={
            "torch": lambda x, weight, eps: F.rms_norm(x, (LONG,), weight, eps),
        },
    ),
    Row(
        "rms_norm_backward",
        _SHAPE,
        _with_grads(_rms),
        nbytes=3 * _BYTES,
        of_copy=_BAR,
    ),
    Row(
        "add_rms_norm",
        _SHAPE,
        _added,
        nbytes=4 * _BYTES,
        of_copy=_BAR,
        rivals=_eager("add_rms_norm"),
    ),
    Row(
        "add_rms_norm_backward",
        _SHAPE,
        _with_grads(_added, 2),
        nbytes=6 * _BYTES,
        of_copy=_BAR,
    ),
    Row(
        "layer_norm",
        _SHAPE,
        _layer,
        nbytes=2 * _BYTES,
        of_copy=_BAR,
        rivals={
            **_eager("layer_norm"),
            "torch": lambda x, weight, bias, eps: F.layer_norm(x, (WIDTH,), weight, bias, eps),
        },
    ),
    Row(
        "layer_norm_backward",
        _SHAPE,
        _with_grads(_layer),
        nbytes=3 * _BYTES,
        of_copy=_BAR,
    ),
    Row(
        "rms_norm_int8",
        _SHAPE,
        _rms,
        nbytes=_BYTES + _BYTES // 2 + _BYTES // 16,
        of_copy=_BAR,
        rivals=_eager("rms_norm_int8"),
    ),
)
