"""Numbers of few bits: whole numbers or fp8 with a scale for every 32 of a row."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_floating, require_shape
from raylm_kernels.op import op
from raylm_kernels.quantize import GROUP, inverse, to_int4
from raylm_kernels.reference.numbers import wide

_FP8_MAX = 448.0  # of float8_e4m3fn


def require_groups(op: str, name: str, x: Tensor) -> None:
    require_floating(op, name, x)
    _require_whole_groups(op, name, x)


@op(check=lambda x: require_groups("quantize_int8", "x", x))
def quantize_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    """int8 codes of x's shape, in [-127, 127], and fp32 scales: x = code * scale. Groups with a NaN
    or an infinity have codes of 0, and a scale that makes all their numbers NaN."""
    return int8_groups(x)


@op(check=lambda codes, scales: _check_scales("dequantize_int8", codes, scales))
def dequantize_int8(codes: Tensor, scales: Tensor) -> Tensor:
    """code * scale in the scales' dtype."""
    return _spread(codes, scales)


@op(check=lambda x: require_groups("quantize_int4", "x", x))
def quantize_int4(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 codes of x's shape, in [0, 15], half scales and minima: x = code * scale + minimum.

    The grids are those of `quantize_weight`. All numbers of a group with a NaN or an infinity
    become NaN.
    """
    grid = to_int4(_groups(x))
    codes = grid.codes.nan_to_num(0.0).to(torch.uint8)
    return codes.flatten(-2), grid.scales, grid.minima


@op(check=lambda codes, scales, minima: _check_scales("dequantize_int4", codes, scales, minima))
def dequantize_int4(codes: Tensor, scales: Tensor, minima: Tensor) -> Tensor:
    """code * scale + minimum in the scales' dtype."""
    return _spread(codes, scales, minima)


@op(check=lambda x: require_groups("quantize_fp8", "x", x))
def quantize_fp8(x: Tensor) -> tuple[Tensor, Tensor]:
    """float8_e4m3fn codes of x's shape, and fp32 scales: x = code * scale."""
    groups = _groups(x)
    scales = groups.abs().amax(-1) / _FP8_MAX
    codes = (groups * inverse(scales)).clamp(-_FP8_MAX, _FP8_MAX)
    return codes.to(torch.float8_e4m3fn).flatten(-2), scales


@op(check=lambda codes, scales: _check_scales("dequantize_fp8", codes, scales))
def dequantize_fp8(codes: Tensor, scales: Tensor) -> Tensor:
    """code * scale in the scales' dtype."""
    return _spread(codes, scales)


def int8_groups(x: Tensor) -> tuple[Tensor, Tensor]:
    groups = _groups(x)
    largest = groups.abs().amax(-1)
    # Not `127.0 / largest`: torch multiplies by a reciprocal there, which rounds twice.
    factor = torch.where(largest > 0, torch.full_like(largest, 127.0) / largest, 0.0)
    codes = (groups * factor[..., None]).nan_to_num(0.0).round().to(torch.int8)
    return codes.flatten(-2), largest / 127.0


def _groups(x: Tensor) -> Tensor:
    return x.float().reshape(*x.shape[:-1], x.shape[-1] // GROUP, GROUP)


def _spread(codes: Tensor, scales: Tensor, minima: Tensor | None = None) -> Tensor:
    value = wide(scales)
    x = codes.reshape(*scales.shape, GROUP).to(value.dtype) * value[..., None]
    if minima is not None:
        x = x + wide(minima)[..., None]
    return x.flatten(-2).to(scales.dtype)


def _check_scales(op: str, codes: Tensor, scales: Tensor, minima: Tensor | None = None) -> None:
    _require_whole_groups(op, "codes", codes)
    shape = (*codes.shape[:-1], codes.shape[-1] // GROUP)
    require_shape(op, "scales", scales, shape)
    if minima is not None:
        require_shape(op, "minima", minima, shape)


def _require_whole_groups(op: str, name: str, x: Tensor) -> None:
    ok = x.ndim >= 1 and x.shape[-1] % GROUP == 0
    require(ok, op, name, f"a last dimension that is a multiple of {GROUP}", x)
