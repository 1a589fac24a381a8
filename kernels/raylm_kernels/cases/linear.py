"""Linear layers over weights of few bits."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rows import rows as rows_of
from raylm_kernels.reference.linear import pack_int4

_SIZES = (
    *((1, 32, 32), (5, 96, 64), (12, 160, 576), (0, 32, 32), (17, 33, 160), (70, 48, 96)),
    (140, 136, 160),
)
_MANY = (260, 24, 64)  # rows for which a weight is made whole
_MANY_PACKED = (1030, 24, 64)


def _linear(draw: Draw) -> Iterator[Arguments]:
    for rows, outputs, inputs in (*_SIZES, _MANY):
        x, shape = draw.normal(rows, inputs), (outputs, inputs // 32)
        scales = draw.normal(*shape, scale=0.1)
        for some in (scales, scales.half()):
            yield x, (draw.integers(255, outputs, inputs) - 127).to(torch.int8), some, None
        codes, minima = _codes(draw, outputs, inputs), draw.normal(*shape)
        yield x, codes, scales, minima
        yield x, codes, scales.half(), minima.half()
    yield _transposed(draw)
    yield _broken(draw)


def _broken(draw: Draw) -> Arguments:
    """One NaN, which no result of its row may hide."""
    x = draw.normal(3, 64)
    x[1, 7] = torch.nan
    codes = (draw.integers(255, 16, 64) - 127).to(torch.int8)
    return x, codes, draw.normal(16, 2, scale=0.1), None


def _transposed(draw: Draw) -> Arguments:
    codes = (draw.integers(255, 64, 48) - 127).to(torch.int8).t()
    x = draw.normal(64, 3, 2).permute(2, 1, 0)
    return x, codes, draw.normal(2, 48, scale=0.1).t(), None


def _packed(draw: Draw) -> Iterator[Arguments]:
    dtype = torch.bfloat16 if draw.dtype == torch.bfloat16 else torch.float16
    groups = (32, 64, 32, 32, 160, 96, 32, 32)
    for (rows, outputs, inputs), group in zip((*_SIZES, _MANY_PACKED), groups, strict=True):
        codes, shape = _codes(draw, outputs, inputs), (outputs, inputs // group)
        grids = draw.normal(*shape, scale=0.1), draw.normal(*shape)
        yield draw.normal(rows, inputs), *pack_int4(codes, *grids, dtype)
    packed = pack_int4(_codes(draw, 48, 256), draw.normal(48, 2), draw.normal(48, 2), torch.float16)
    yield draw.normal(256, 2, 3).permute(2, 1, 0), *packed


def _codes(draw: Draw, outputs: int, inputs: int) -> Tensor:
    return draw.integers(16, outputs, inputs).to(torch.uint8)


def _fp8_linear(draw: Draw) -> Iterator[Arguments]:
    dtype = torch.float16 if draw.dtype == torch.float16 else torch.bfloat16
    for shape, outputs, has_bias in (
        ((1, 32), 16, False),
        ((3, 5, 48), 33, True),
        ((130, 272), 144, False),
        ((70, 128), 17, True),
        ((0, 32), 16, True),
    ):
        x = draw.normal(*shape, scale=3.0).to(torch.float8_e4m3fn)
        weight = draw.normal(outputs, shape[-1], scale=3.0).to(torch.float8_e4m3fn)
        scales = draw.normal(*shape[:-1]).float(), draw.normal(outputs).float()
        bias = draw.normal(outputs, 2, scale=30.0)[:, 1] if has_bias else None
        yield x, scales[0], weight, scales[1], bias, dtype


def _rows(draw: Draw) -> Iterator[Arguments]:
    for x in rows_of(draw):
        if x.numel() > 64:
            x[-1] = 0  # a row without a scale
        yield (x,)
    yield (draw.normal(5000, 2, scale=3.0).t(),)


CASES: Mapping[str, Cases] = {
    "fp8_linear": _fp8_linear,
    "packed_int4_linear": _packed,
    "quantize_fp8_rows": _rows,
    "quantized_linear": _linear,
    "weight_only_linear": _linear,
}
