"""Linear layers over weights of few bits, with a scale for every 32 inputs of a row."""

import torch
from torch import Tensor
from torch.nn.functional import linear, pad

from raylm_kernels.arguments import require, require_shape
from raylm_kernels.op import op
from raylm_kernels.quantize import GROUP, QuantizedWeight, dequantize_weight
from raylm_kernels.reference.numbers import wide
from raylm_kernels.reference.quantize import int8_groups, require_groups


def _check(name: str, x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None) -> None:
    require_groups(name, "x", x)
    require(codes.ndim == 2, name, "codes", "two dimensions, N x K", codes)
    require_shape(name, "codes", codes, (codes.shape[0], x.shape[-1]))
    groups = (codes.shape[0], codes.shape[1] // GROUP)
    require_shape(name, "scales", scales, groups)
    if minima is not None:
        require_shape(name, "minima", minima, groups)
    wanted = torch.int8 if minima is None else torch.uint8
    require(codes.dtype == wanted, name, "codes", f"{wanted} without or with minima", codes)


@op(
    gradients=("x",),
    check=lambda x, codes, scales, minima: _check("weight_only_linear", x, codes, scales, minima),
)
def weight_only_linear(
    x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None = None
) -> Tensor:
    """x W^T of W_NK = code * scale (+ minimum): int8 codes, or uint8 ones of 4 bits with minima."""
    weight = dequantize_weight(QuantizedWeight(codes, scales, minima))
    return linear(wide(x), weight.to(wide(x).dtype)).to(x.dtype)


@op(check=lambda x, codes, scales, minima: _check("quantized_linear", x, codes, scales, minima))
def quantized_linear(
    x: Tensor, codes: Tensor, scales: Tensor, minima: Tensor | None = None
) -> Tensor:
    """Like `weight_only_linear`, with x rounded to 8 bits per 32: W8A8, or W4A8 with minima. In
    fp32, summed in fp64."""
    weight = dequantize_weight(QuantizedWeight(codes, scales, minima))
    x_codes, x_scales = int8_groups(x)
    grid = x_codes.reshape(*x_scales.shape, GROUP).double()
    rounded = (grid * x_scales.double()[..., None]).flatten(-2)
    return linear(rounded, weight.double()).float()


PACKED_INPUTS = 128
"""Inputs of a row that are packed together, into 64 bytes."""


def pack_int4(
    codes: Tensor, scales: Tensor, minima: Tensor, dtype: torch.dtype = torch.bfloat16
) -> tuple[Tensor, Tensor]:
    """uint8 codes_NK of 4 bits, scales_NG and minima_NG (G divides K into groups of whole 32s), as
    `packed_int4_linear` takes them: two codes a byte; and grids_GN2 in `dtype`, best that of x, of
    the scale and of what code 8 stands for.

    Of 128 inputs, 16-bit word w of 32 holds those of inputs w, w + 32, w + 64 and w + 96, the first
    in its lowest bits: each plane of 4 bits is a tile of 32 inputs that share a scale.
    """
    outputs, inputs = codes.shape
    planes = pad(codes, (0, -inputs % PACKED_INPUTS)).view(outputs, -1, 2, 2, PACKED_INPUTS // 4)
    packed = planes[:, :, :, 0] | planes[:, :, :, 1] << 4
    grids = torch.stack([scales.t().float(), minima.t().float() + 8 * scales.t().float()], dim=-1)
    return packed.transpose(2, 3).reshape(outputs, -1), grids.to(dtype)


def unpack_int4(packed: Tensor, inputs: int) -> Tensor:
    """The codes that were packed, of so many inputs."""
    pairs = packed.view(len(packed), -1, PACKED_INPUTS // 4, 2).transpose(2, 3)
    codes = torch.stack([pairs & 15, pairs >> 4], dim=3)
    return codes.reshape(len(packed), -1)[:, :inputs]


def _check_packed(x: Tensor, packed: Tensor, grids: Tensor) -> None:
    name = "packed_int4_linear"
    require_groups(name, "x", x)
    require(packed.ndim == 2, name, "packed", "two dimensions, of pack_int4", packed)
    outputs, inputs = packed.shape[0], x.shape[-1]
    width = -(-inputs // PACKED_INPUTS) * PACKED_INPUTS // 2
    require(packed.dtype == torch.uint8, name, "packed", "uint8, of pack_int4", packed)
    require_shape(name, "packed", packed, (outputs, width))
    require(grids.ndim == 3, name, "grids", "three dimensions, of pack_int4", grids)
    require_shape(name, "grids", grids, (grids.shape[0], outputs, 2))
    is_whole = grids.shape[0] > 0 and inputs % (grids.shape[0] * GROUP) == 0
    require(is_whole, name, "grids", f"groups of whole {GROUP}s of {inputs} inputs", grids)


@op(gradients=("x",), check=_check_packed)
def packed_int4_linear(x: Tensor, packed: Tensor, grids: Tensor) -> Tensor:
    """x W^T of W_NK = (code - 8) * scale + offset, packed by `pack_int4`: half a byte a weight, and
    a scale and an offset for every 32 inputs of a row or more."""
    codes = unpack_int4(packed, x.shape[-1])
    scales, offsets = grids.to(wide(x).dtype).permute(2, 1, 0).contiguous().unbind()
    groups = codes.reshape(*scales.shape, -1).to(scales.dtype) - 8
    weight = (groups * scales[..., None] + offsets[..., None]).flatten(1)
    return linear(wide(x), weight).to(x.dtype)
