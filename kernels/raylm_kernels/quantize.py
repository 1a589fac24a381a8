"""Weight quantisation: small integers with a half-precision scale per 32 inputs of a row."""

from dataclasses import dataclass
from typing import Literal

import torch

GROUP = 32
_SLICE_GROUPS = 8192  # bounds what lies between weight and codes, which is then in cache

WeightBits = Literal[4, 8]


@dataclass(frozen=True, slots=True)
class QuantizedWeight:
    """int8: codes_NK in [-127, 127], weight = scale * code.
    int4: codes_NK uint8 in [0, 15], weight = scale * code + minimum.

    scales_NG and minima_NG are half, G = K / 32; minima is None for int8.
    """

    codes: torch.Tensor
    scales: torch.Tensor
    minima: torch.Tensor | None


def quantize_weight(weight_NK: torch.Tensor, bits: WeightBits) -> QuantizedWeight:
    """Round every group of 32 weights to a grid of 16 or 255 levels.

    Int4 takes, per group, the better of two grids: from the smallest weight to the largest, or
    zero-centred with the largest magnitude at its end. They are those of GGUF's Q4_1 and Q4_0,
    so that weights which come from such a file are kept exactly.
    """
    rows, width = weight_NK.shape
    if width % GROUP:
        raise ValueError(
            f"quantize_weight: weight has {width} columns, expected a multiple of {GROUP}"
        )
    round_groups = _to_int8 if bits == 8 else _to_uint4
    slices = torch.split(weight_NK.reshape(-1, GROUP), _SLICE_GROUPS)
    parts = [round_groups(groups.float()) for groups in slices]
    codes = torch.cat([part.codes for part in parts]).view(rows, width)
    scales = torch.cat([part.scales for part in parts]).view(rows, width // GROUP)
    minima = [part.minima for part in parts if part.minima is not None]
    return QuantizedWeight(codes, scales, torch.cat(minima).view_as(scales) if minima else None)


def dequantize_weight(weight: QuantizedWeight) -> torch.Tensor:
    groups = weight.codes.view(*weight.scales.shape, GROUP).float()
    values = groups * weight.scales.float()[..., None]
    if weight.minima is not None:
        values = values + weight.minima.float()[..., None]
    return values.flatten(1)


def _to_uint4(groups: torch.Tensor) -> QuantizedWeight:
    grid = to_int4(groups)
    return QuantizedWeight(grid.codes.to(torch.uint8), grid.scales, grid.minima)


def _to_int8(groups: torch.Tensor) -> QuantizedWeight:
    scales = (groups.abs().amax(-1) / 127).half()
    codes = (groups * inverse(scales)).round_().clamp_(-127, 127)
    return QuantizedWeight(codes.to(torch.int8), scales, None)


@dataclass(frozen=True, slots=True)
class Grid:
    """Codes of groups of 32, still fp32; half scales and minima; the squared error of each."""

    codes: torch.Tensor
    scales: torch.Tensor
    minima: torch.Tensor
    error: torch.Tensor


def to_int4(groups: torch.Tensor) -> Grid:
    """The better of the two grids for each group of 32 in the last dimension."""
    low, high = groups.amin(-1), groups.amax(-1)
    spanning = _round_to_grid(groups, (high - low) / 15, low)
    step = torch.where(high > -low, high, low) / -8
    centred = _round_to_grid(groups, step, -8 * step.half().float())
    is_better = centred.error < spanning.error
    return Grid(
        torch.where(is_better[..., None], centred.codes, spanning.codes),
        torch.where(is_better, centred.scales, spanning.scales),
        torch.where(is_better, centred.minima, spanning.minima),
        torch.minimum(centred.error, spanning.error),
    )


def _round_to_grid(groups: torch.Tensor, scales: torch.Tensor, minima: torch.Tensor) -> Grid:
    scales, minima = scales.half(), minima.half()
    offset = minima.float()[..., None]
    codes = ((groups - offset) * inverse(scales)).round_().clamp_(0, 15)
    error = (codes * scales.float()[..., None] + offset - groups).square_().sum(-1)
    return Grid(codes, scales, minima, error)


def inverse(scales: torch.Tensor) -> torch.Tensor:
    return torch.where(scales == 0, 0.0, scales.float().reciprocal())[..., None]
