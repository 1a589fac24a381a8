"""Numbers of few bits: bf16 of a weight's size to codes, and back."""

from collections.abc import Callable

import torch

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels.testing import reference

TOKENS, WIDTH = 8192, 14_336
_SHAPE = f"{TOKENS} x {WIDTH}"
_ELEMENTS = TOKENS * WIDTH
_GROUPS = _ELEMENTS // 32


def _real(draw: Draw) -> Arguments:
    return (draw.normal(TOKENS, WIDTH),)


def _codes(dtype: torch.dtype, scales: int = 1) -> Callable[[Draw], Arguments]:
    return lambda draw: (
        draw.integers(16, TOKENS, WIDTH, dtype=torch.uint8).to(dtype),
        *(draw.normal(TOKENS, WIDTH // 32) for _ in range(scales)),
    )


def _row(op: str, arguments: Callable[[Draw], Arguments], group_bytes: int) -> Row:
    """3 bytes an element, bf16 and a code, and `group_bytes` of scales and minima."""
    return Row(
        op,
        _SHAPE,
        arguments,
        nbytes=3 * _ELEMENTS + group_bytes * _GROUPS,
        of_copy=0.88,
        rivals={"eager": reference(op)},
    )


ROWS: Rows = (
    _row("quantize_int8", _real, 4),
    _row("quantize_int4", _real, 4),
    _row("quantize_fp8", _real, 4),
    _row("dequantize_int8", _codes(torch.int8), 2),
    _row("dequantize_int4", _codes(torch.uint8, 2), 4),
    _row("dequantize_fp8", _codes(torch.float8_e4m3fn), 2),
)
