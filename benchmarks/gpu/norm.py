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


def _variant(op: str, module: Any, **values: Any) -> Callable[..., Any]:
    from raylm_kernels import catalog

    def call(*args: Any) -> Any:
        kept = {name: getattr(module, name) for name in values}
        for name, value in values.items():
            setattr(module, name, value)
        try:
            return catalog.registry.entry(op).implementations["triton"].function(*args)
        finally:
            for name, value in kept.items():
                setattr(module, name, value)

    return call


def _tiles(op: str, tiles: Any) -> dict[str, Callable[..., Any]]:
    from raylm_kernels.triton import norm, norm_backward

    if op.endswith("_backward"):
        return {
            f"{tile} x {programs}": _variant(
                op,
                norm_backward,
                _tile=lambda w, i, tile=tile: tile,
                _programs=lambda x, rows, warps, programs=programs: programs * 132,
            )
            for *tile, programs in tiles
        }
    return {str(tile): _variant(op, norm, tile=lambda w, tile=tile: tile) for tile in tiles}


def _programs(op: str) -> dict[str, Callable[..., Any]]:
    from raylm_kernels.triton import norm

    return {"264 programs": _variant(op, norm, processors=lambda x: 264)}


_B = ((1, 4096, 16, 2), (2, 4096, 8, 1), (1, 4096, 16, 1))
_F = ((1, 4096, 8), (2, 4096, 8))
ROWS: Rows = (
    Row(
        "rms_norm",
        _SHAPE,
        _rms,
        nbytes=2 * _BYTES,
        of_copy=_BAR,
        rivals={
            **_eager("rms_norm"),
            **_tiles("rms_norm", _F),
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
            **_programs("rms_norm"),
        },
    ),
    Row(
        "rms_norm_backward",
        _SHAPE,
        _with_grads(_rms),
        nbytes=3 * _BYTES,
        of_copy=_BAR,
        rivals=_tiles("rms_norm_backward", _B),
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
        rivals=_tiles("add_rms_norm_backward", _B),
    ),
    Row(
        "layer_norm",
        _SHAPE,
        _layer,
        nbytes=2 * _BYTES,
        of_copy=_BAR,
        rivals={
            **_eager("layer_norm"),
            **_tiles("layer_norm", _F),
            "torch": lambda x, weight, bias, eps: F.layer_norm(x, (WIDTH,), weight, bias, eps),
        },
    ),
    Row(
        "layer_norm_backward",
        _SHAPE,
        _with_grads(_layer),
        nbytes=3 * _BYTES,
        of_copy=_BAR,
        rivals=_tiles("layer_norm_backward", _B),
    ),
    Row(
        "rms_norm_int8",
        _SHAPE,
        _rms,
        nbytes=_BYTES + _BYTES // 2 + _BYTES // 16,
        of_copy=_BAR,
        rivals={**_eager("rms_norm_int8"), **_tiles("rms_norm_int8", _F)},
    ),
)
