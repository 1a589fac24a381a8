"""A linear layer in fp8, with a scale for every row of x and every output of the weight."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from raylm_kernels.arguments import require, require_floating, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide

FP8 = torch.float8_e4m3fn
FP8_MAX = 448.0
_HALVES = (torch.bfloat16, torch.float16)


def _check_rows(x: Tensor) -> None:
    require_floating("quantize_fp8_rows", "x", x)
    require(x.ndim >= 1, "quantize_fp8_rows", "x", "at least one dimension", x)
    require(x.shape[-1] > 0, "quantize_fp8_rows", "x", "rows that are not empty", x)


@op(check=_check_rows)
def quantize_fp8_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """float8_e4m3fn codes of x's shape, and an fp32 scale for each row: x = code * scale."""
    rows = x.float()
    largest = rows.abs().amax(-1)
    # Not `448.0 / largest`: torch multiplies by a reciprocal there, which rounds twice.
    factor = torch.where(largest > 0, torch.full_like(largest, FP8_MAX) / largest, 0.0)
    codes = (rows * factor[..., None]).clamp(-FP8_MAX, FP8_MAX).to(FP8)
    return codes, largest / FP8_MAX


def _check(
    x: Tensor,
    x_scales: Tensor,
    weight: Tensor,
    weight_scales: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype,
) -> None:
    name = "fp8_linear"
    for given, codes in (("x", x), ("weight", weight)):
        require(codes.dtype == FP8, name, given, "float8_e4m3fn, of quantize_fp8_rows", codes)
    require(weight.ndim == 2, name, "weight", "two dimensions, N x K", weight)
    require(x.ndim >= 1, name, "x", "at least one dimension", x)
    require_shape(name, "x", x, (*x.shape[:-1], weight.shape[1]))
    require_shape(name, "x_scales", x_scales, tuple(x.shape[:-1]))
    require_shape(name, "weight_scales", weight_scales, (weight.shape[0],))
    if bias is not None:
        require_shape(name, "bias", bias, (weight.shape[0],))
    require(dtype in _HALVES, name, "dtype", "torch.bfloat16 or torch.float16", dtype)


@op(check=_check)
def fp8_linear(
    x: Tensor,
    x_scales: Tensor,
    weight: Tensor,
    weight_scales: Tensor,
    bias: Tensor | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """x W^T (+ bias) of x_MK and W_NK in float8_e4m3fn, each row times its scale; `dtype` is the
    result's."""
    scales = wide(x_scales)
    y = linear(x.to(scales.dtype), weight.to(scales.dtype))
    y = y * scales[..., None] * wide(weight_scales).to(scales.dtype)
    if bias is not None:
        y = y + bias.to(scales.dtype)
    return y.to(dtype)
