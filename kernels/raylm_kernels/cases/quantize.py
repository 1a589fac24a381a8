"""Numbers of few bits."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rows import grouped_rows, spoilt_rows


def _quantize(draw: Draw) -> Iterator[Arguments]:
    for x in grouped_rows(draw):
        yield (x,)
    yield (draw.normal(129, 32),)
    yield (draw.normal(64, 5).T,)
    halves = torch.arange(-32, 32, device=draw.device).to(draw.dtype) + 0.5
    for x in (halves, halves * 4, torch.full_like(halves, 3.3), -halves.abs(), halves * 2e-8):
        yield (
            x,
        )  # codes between two, groups without width or of one sign, scales near half's least
    yield (spoilt_rows(draw, 32),)


def _dequantize(high: int, dtype: torch.dtype, *, has_minima: bool) -> Cases:
    def draw_cases(draw: Draw) -> Iterator[Arguments]:
        for x in grouped_rows(draw):
            codes = (draw.integers(high, *x.shape) - (0 if has_minima else high // 2)).to(dtype)
            shape = (*x.shape[:-1], x.shape[-1] // 32)
            yield (codes, *(draw.normal(*shape) for _ in range(2 if has_minima else 1)))

    return draw_cases


CASES: Mapping[str, Cases] = {
    "dequantize_fp8": _dequantize(16, torch.float8_e4m3fn, has_minima=False),
    "dequantize_int4": _dequantize(16, torch.uint8, has_minima=True),
    "dequantize_int8": _dequantize(255, torch.int8, has_minima=False),
    "quantize_fp8": _quantize,
    "quantize_int4": _quantize,
    "quantize_int8": _quantize,
}
