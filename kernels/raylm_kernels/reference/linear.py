"""Linear layers over weights of few bits, with a scale for every 32 inputs of a row."""

import torch
from torch import Tensor
from torch.nn.functional import linear

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
