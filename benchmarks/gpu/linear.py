"""Linear layers over weights of few bits, as Llama 3's feed-forward layers have them."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels.quantize import GROUP

MODELS = ((14_336, 4_096), (28_672, 8_192))  # outputs and inputs, of 8 and 70 billion
FP8 = torch.float8_e4m3fn


def _packed(rows: int, outputs: int, inputs: int, group: int) -> Callable[[Draw], Arguments]:
    def draw_arguments(draw: Draw) -> Arguments:
        packed = draw.integers(256, outputs, inputs // 2, dtype=torch.uint8)
        grids = draw.normal(inputs // group, outputs, 2, scale=0.01)
        return draw.normal(rows, inputs), packed, grids

    return draw_arguments


def _int8(rows: int, outputs: int, inputs: int) -> Callable[[Draw], Arguments]:
    def draw_arguments(draw: Draw) -> Arguments:
        codes = draw.integers(255, outputs, inputs, dtype=torch.uint8).view(torch.int8)
        scales = draw.normal(outputs, inputs // GROUP, scale=0.01, dtype=torch.half)
        return draw.normal(rows, inputs), codes, scales, None

    return draw_arguments


def _fp8(rows: int, outputs: int, inputs: int) -> Callable[[Draw], Arguments]:
    def draw_arguments(draw: Draw) -> Arguments:
        scales = draw.normal(rows).float().abs(), draw.normal(outputs).float().abs()
        x, weight = draw.normal(rows, inputs), draw.normal(outputs, inputs)
        return x.to(FP8), scales[0], weight.to(FP8), scales[1], None, torch.bfloat16

    return draw_arguments


def _bf16(outputs: int, inputs: int) -> Callable[..., Tensor]:
    """cuBLAS over a weight of 16 bits, made when it is first asked."""
    made: list[Tensor] = []

    def run(x: Tensor, *_: object) -> Tensor:
        if not made:
            made[:] = [torch.randn(outputs, inputs, dtype=torch.bfloat16, device=x.device)]
        return F.linear(x if x.itemsize == 2 else _wide(x), made[0])

    return run


_wides: dict[tuple[int, ...], Tensor] = {}


def _wide(x: Tensor) -> Tensor:
    """In bf16, converted once."""
    if tuple(x.shape) not in _wides:
        _wides[tuple(x.shape)] = x.bfloat16()
    return _wides[tuple(x.shape)]


def _scaled_mm(
    x: Tensor,
    x_scales: Tensor,
    weight: Tensor,
    weight_scales: Tensor,
    bias: None,
    dtype: torch.dtype,
) -> Tensor:
    scales = x_scales[:, None], weight_scales[None]
    return torch._scaled_mm(x, weight.t(), *scales, out_dtype=dtype, use_fast_accum=True)


def _row(
    op: str,
    rows: int,
    outputs: int,
    inputs: int,
    arguments: Callable[[Draw], Arguments],
    weight_bytes: int,
    least: float | None,
    label: str = "",
) -> Row:
    """`least`: how many times as fast as cuBLAS in bf16."""
    is_long = rows >= 1024
    return Row(
        op,
        f"{rows} x {outputs} x {inputs}{label}",
        arguments,
        nbytes=0 if is_long else weight_bytes,
        flops=2 * rows * outputs * inputs if is_long else 0,
        rivals={"bf16": _bf16(outputs, inputs)},
        times={} if least is None else {"bf16": least},
        is_checked=rows < 1024,
    )


def _packed_row(
    rows: int, outputs: int, inputs: int, group: int, least: float | None = None
) -> Row:
    nbytes = outputs * inputs // 2 + 4 * outputs * inputs // group
    arguments = _packed(rows, outputs, inputs, group)
    return _row("packed_int4_linear", rows, outputs, inputs, arguments, nbytes, least, f", {group}")


def _int8_row(op: str, rows: int, outputs: int, inputs: int, least: float | None = None) -> Row:
    nbytes = outputs * inputs + 2 * outputs * inputs // GROUP
    return _row(op, rows, outputs, inputs, _int8(rows, outputs, inputs), nbytes, least)


_FP8_SHAPE = (4_096, 14_336, 4_096)

ROWS: Rows = (
    *(_packed_row(rows, *MODELS[0], 32, 3.3) for rows in (1, 16)),
    *(_packed_row(rows, *MODELS[1], 32, 3.3) for rows in (1, 16)),
    _packed_row(16, *MODELS[1], 128, 3.3),
    _packed_row(64, *MODELS[0], 32),
    _packed_row(4096, *MODELS[0], 32, 0.8),
    *(_int8_row("weight_only_linear", rows, *MODELS[1], 1.8) for rows in (1, 16)),
    _int8_row("weight_only_linear", 4096, *MODELS[0]),
    _int8_row("quantized_linear", 16, *MODELS[1]),
    _int8_row("quantized_linear", 4096, *MODELS[0], 1.0),
    Row(
        "fp8_linear",
        " x ".join(map(str, _FP8_SHAPE)),
        _fp8(*_FP8_SHAPE),
        flops=2 * _FP8_SHAPE[0] * _FP8_SHAPE[1] * _FP8_SHAPE[2],
        rivals={"bf16": _bf16(*_FP8_SHAPE[1:]), "torch._scaled_mm": _scaled_mm},
        times={"bf16": 1.4},
        is_checked=False,
    ),
    Row(
        "quantize_fp8_rows",
        "16384 x 8192",
        lambda draw: (draw.normal(16_384, 8_192),),
        nbytes=16_384 * (8_192 * 3 + 4),
        of_copy=0.85,
    ),
)
