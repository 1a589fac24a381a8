"""How far results are from what they should be, and how far they may be."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from raylm_kernels.implementation import tensors_in

ALLOWED: Mapping[torch.dtype, float] = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}
"""Of the largest magnitude; integers may differ by nothing."""


def fault(found: Any, wanted: Any, allowed: Mapping[torch.dtype, float] = ALLOWED) -> str:
    """Which result is too far from what is wanted, and how far; empty where none is."""
    pairs = list(zip(_tensors(found), _tensors(wanted), strict=True))
    for place, (one, other) in enumerate(pairs):
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"result {place}: {_outline(other)} expected, found {_outline(one)}"
        limit = allowed.get(one.dtype, 0.0)
        if (off := distance(one, other)) > limit:
            return (
                f"result {place} is off by {off:.2g} of its largest magnitude; {limit:.2g} allowed"
            )
    return ""


def distance(found: Tensor, wanted: Tensor) -> float:
    """The largest difference, as a part of the largest finite magnitude wanted; inf where only one
    of them is NaN or infinite."""
    found, wanted = found.double(), wanted.double()
    special = ~wanted.isfinite()
    same = (found == wanted) | (found.isnan() & wanted.isnan())
    if not bool(same[special].all()) or not bool(found[~special].isfinite().all()):
        return float("inf")
    if special.all():
        return 0.0
    off = (found - wanted)[~special].abs().max().item()
    return off / max(wanted[~special].abs().max().item(), 1e-30) if off else 0.0


def _tensors(results: Any) -> list[Tensor]:
    return tensors_in(results if isinstance(results, Sequence) else (results,))


def _outline(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
