"""Numbers of few bits, in groups of 32 elements with a scale each. The codes are those of the
reference, so a product is not to be fused with the sum that rounds it to a whole number."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import quantize
from raylm_kernels.triton.launched import IS_INTERPRETED, REAL, launched

_GROUPS = 128  # of a program: 32 elements a thread
_ROUND = tl.constexpr(12_582_912.0)  # 1.5 * 2^23: beside it, fp32 has no fractions
_IS_INTERPRETED = tl.constexpr(IS_INTERPRETED)


@triton.jit
def _divided(x, by: tl.constexpr):
    """As torch divides by a number, for codes depend on it: on a GPU by its reciprocal."""
    return tl.div_rn(x, by) if _IS_INTERPRETED else x * (1.0 / by)


@triton.jit
def largest(x, axis: tl.constexpr):
    """The largest magnitude. As whole numbers the bits of NaN are the largest of all."""
    magnitude = x.to(tl.int32, bitcast=True) & 0x7FFFFFFF
    return tl.max(magnitude, axis, keep_dims=True).to(tl.float32, bitcast=True)


@triton.jit
def int8_codes(x, axis: tl.constexpr):
    """Codes in [-127, 127] and scales of the groups that lie along an axis, kept with length 1."""
    top = largest(x, axis)
    factor = tl.div_rn(127.0, tl.where(top > 0.0, top, 1.0))
    codes = (x * factor + _ROUND).to(tl.int32, bitcast=True).to(tl.int8)
    return tl.where(top < float("inf"), codes, 0), _divided(top, 127.0)


@triton.jit
def _inverse(scales):
    is_none = scales == 0.0
    return tl.where(is_none, 0.0, tl.div_rn(1.0, tl.where(is_none, 1.0, scales)))


@triton.jit
def _place(groups, GROUPS: tl.constexpr, GROUP: tl.constexpr):
    """The groups of this program, and their elements."""
    group = tl.program_id(0).to(tl.int64) * GROUPS + tl.arange(0, GROUPS)[:, None]
    return group, group * GROUP + tl.arange(0, GROUP)[None, :], group < groups


@triton.jit
def quantize_int8_kernel(
    x_ptr, codes_ptr, scales_ptr, groups, GROUPS: tl.constexpr, GROUP: tl.constexpr
):
    group, at, inside = _place(groups, GROUPS, GROUP)
    x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
    codes, scales = int8_codes(x, 1)
    tl.store(codes_ptr + at, codes, inside)
    tl.store(scales_ptr + group, scales, inside)


@triton.jit
def to_fp8(x):
    codes = x.to(tl.float8e4nv)
    if _IS_INTERPRETED:  # it cuts off what fp8 cannot hold: round to 2^-3 of the power of two below
        power = (x.to(tl.int32, bitcast=True) & 0x7F800000).to(tl.float32, bitcast=True)
        coarse = tl.maximum(power, 0.015625) * 1_572_864.0  # 1.5 * 2^20
        rounded = ((x + coarse) - coarse).to(tl.float8e4nv).to(tl.int8, bitcast=True)
        is_nan = tl.full(rounded.shape, 0x7F, tl.int8)
        codes = tl.where(x == x, rounded, is_nan).to(tl.float8e4nv, bitcast=True)
    return codes


@triton.jit
def quantize_fp8_kernel(
    x_ptr, codes_ptr, scales_ptr, groups, GROUPS: tl.constexpr, GROUP: tl.constexpr
):
    group, at, inside = _place(groups, GROUPS, GROUP)
    x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
    scales = _divided(largest(x, 1), 448.0)
    scaled = x * _inverse(scales)
    codes = tl.clamp(scaled, -448.0, 448.0, propagate_nan=tl.PropagateNan.ALL)
    tl.store(codes_ptr + at, to_fp8(codes), inside)
    tl.store(scales_ptr + group, scales, inside)


@triton.jit
def _on_grid(x, scales, minima):
    """Codes on a grid, beside _ROUND; what the grid is once it is half; and the squared error."""
    scales, minima = scales.to(tl.float16), minima.to(tl.float16)
    step, offset = scales.to(tl.float32), minima.to(tl.float32)
    codes = tl.clamp((x - offset) * _inverse(step), 0.0, 15.0) + _ROUND
    off = (codes - _ROUND) * step + offset - x
    return codes, scales, minima, tl.sum(off * off, 1, keep_dims=True)


@triton.jit
def quantize_int4_kernel(
    x_ptr, codes_ptr, scales_ptr, minima_ptr, groups, GROUPS: tl.constexpr, GROUP: tl.constexpr
):
    group, at, inside = _place(groups, GROUPS, GROUP)
    x = tl.load(x_ptr + at, inside, other=0.0).to(tl.float32)
    top = largest(x, 1)
    low = tl.where(top == top, tl.min(x, 1, keep_dims=True), top)  # NaN where there is one
    high = tl.where(top == top, tl.max(x, 1, keep_dims=True), top)
    codes, scales, minima, error = _on_grid(x, _divided(high - low, 15.0), low)
    step = tl.where(high > -low, high, low) * -0.125
    offset = -8.0 * step.to(tl.float16).to(tl.float32)
    centred, centred_scales, centred_minima, centred_error = _on_grid(x, step, offset)
    is_better = centred_error < error
    codes = tl.where(is_better, centred, codes).to(tl.int32, bitcast=True).to(tl.uint8)
    tl.store(codes_ptr + at, codes, inside)
    tl.store(scales_ptr + group, tl.where(is_better, centred_scales, scales), inside)
    tl.store(minima_ptr + group, tl.where(is_better, centred_minima, minima), inside)


@triton.jit
def dequantize_kernel(
    codes_ptr,
    scales_ptr,
    minima_ptr,
    x_ptr,
    groups,
    GROUPS: tl.constexpr,
    GROUP: tl.constexpr,
):
    group = tl.program_id(0).to(tl.int64) * GROUPS + tl.arange(0, GROUPS)
    # A third dimension, so that codes are not read in sixteens to be exchanged by threads later.
    element = tl.arange(0, GROUP // 8)[None, :, None] * 8 + tl.arange(0, 8)[None, None, :]
    at = group[:, None, None] * GROUP + element
    inside = (group < groups)[:, None, None]
    x = tl.load(codes_ptr + at, inside).to(tl.float32)
    x *= tl.load(scales_ptr + group, group < groups).to(tl.float32)[:, None, None]
    if minima_ptr is not None:
        x += tl.load(minima_ptr + group, group < groups).to(tl.float32)[:, None, None]
    tl.store(x_ptr + at, x.to(x_ptr.dtype.element_ty), inside)


def _takes_real(x: Tensor) -> bool:
    return x.numel() > 0


@launched(quantize.quantize_int8, _takes_real)
def quantize_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    codes, scales = _like(x, torch.int8), _per_group(x, torch.float32)
    _launch(quantize_int8_kernel, x.contiguous(), codes, scales)
    return codes, scales


@launched(quantize.quantize_int4, _takes_real)
def quantize_int4(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    codes, scales = _like(x, torch.uint8), _per_group(x, torch.float16)
    minima = torch.empty_like(scales)
    tensors = x.contiguous(), codes, scales, minima
    _launch(quantize_int4_kernel, *tensors, groups=_GROUPS // 2, enable_fp_fusion=True)
    return codes, scales, minima


@launched(quantize.quantize_fp8, _takes_real, capability=(8, 9))
def quantize_fp8(x: Tensor) -> tuple[Tensor, Tensor]:
    codes, scales = _like(x, torch.float8_e4m3fn), _per_group(x, torch.float32)
    _launch(quantize_fp8_kernel, x.contiguous(), codes, scales)
    return codes, scales


def _takes_codes(codes: Tensor, scales: Tensor, minima: Tensor | None = None) -> bool:
    return codes.numel() > 0 and scales.dtype in REAL


@launched(quantize.dequantize_int8, _takes_codes, dtypes=[torch.int8])
def dequantize_int8(codes: Tensor, scales: Tensor) -> Tensor:
    return _dequantized(codes, scales, None)


@launched(quantize.dequantize_int4, _takes_codes, dtypes=[torch.uint8])
def dequantize_int4(codes: Tensor, scales: Tensor, minima: Tensor) -> Tensor:
    return _dequantized(codes, scales, minima.contiguous())


@launched(quantize.dequantize_fp8, _takes_codes, dtypes=[torch.float8_e4m3fn], capability=(8, 9))
def dequantize_fp8(codes: Tensor, scales: Tensor) -> Tensor:
    return _dequantized(codes, scales, None)


def _dequantized(codes: Tensor, scales: Tensor, minima: Tensor | None) -> Tensor:
    x = _like(codes, scales.dtype)
    _launch(dequantize_kernel, codes.contiguous(), scales.contiguous(), minima, x)
    return x


def _launch(
    kernel: Any,
    first: Tensor,
    *others: Tensor | None,
    groups: int = _GROUPS,
    enable_fp_fusion: bool = False,
) -> None:
    count = first.numel() // GROUP
    kernel[(triton.cdiv(count, groups),)](
        *(first, *others, count),
        GROUPS=groups,
        GROUP=GROUP,
        enable_fp_fusion=enable_fp_fusion,
    )


def _like(x: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.empty(x.shape, dtype=dtype, device=x.device)


def _per_group(x: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.empty((*x.shape[:-1], x.shape[-1] // GROUP), dtype=dtype, device=x.device)
