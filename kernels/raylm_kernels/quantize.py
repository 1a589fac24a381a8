"""Weight quantisation: symmetric integers, one half-precision scale per 32 inputs of a row."""

from dataclasses import dataclass
from typing import Literal

import torch

GROUP = 32

WeightBits = Literal[4, 8]


@dataclass(frozen=True, slots=True)
class QuantizedWeight:
    """codes_NK int8 in [-8, 7] or [-127, 127]; scales_NG half, G = K / 32."""

    codes: torch.Tensor
    scales: torch.Tensor


def quantize_weight(weight_NK: torch.Tensor, bits: WeightBits) -> QuantizedWeight:
    """Round every group of 32 to the grid its largest magnitude spans.

    The int4 grid has one more step below zero than above, so the largest magnitude takes -8,
    whatever its sign (as GGUF's Q4_0 does): 1/8 instead of 1/7 of it is one step.
    """
    rows, width = weight_NK.shape
    if width % GROUP:
        raise ValueError(
            f"quantize_weight: weight has {width} columns, expected a multiple of {GROUP}"
        )
    groups = weight_NK.float().view(rows, width // GROUP, GROUP)
    low, high = groups.amin(-1), groups.amax(-1)
    if bits == 4:
        scales = torch.where(high > -low, high, low) / -8
    else:
        scales = torch.maximum(high, -low) / 127
    scales = scales.half()
    inverse = torch.where(scales == 0, 0.0, scales.float().reciprocal())
    lowest, highest = (-8, 7) if bits == 4 else (-127, 127)
    codes = (groups * inverse[..., None]).round_().clamp_(lowest, highest).to(torch.int8)
    return QuantizedWeight(codes.view(rows, width), scales)


def dequantize_weight(weight: QuantizedWeight) -> torch.Tensor:
    rows, width = weight.codes.shape
    groups = weight.codes.view(rows, width // GROUP, GROUP).float()
    return (groups * weight.scales.float()[..., None]).view(rows, width)
