"""The compiled kernels as implementations of ops, where they can be built."""

import functools
import warnings
from typing import Any

import torch
from torch import Tensor

from raylm_kernels.cpu import build, ops
from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import gated, norm, quantize
from raylm_kernels.reference import rope as rotary
from raylm_kernels.registry import register

_LANES = 16
_compiled: dict[str, Any] = {"name": "compiled", "device": "cpu", "dtypes": [torch.float32]}


@functools.cache
def _ready() -> str:
    works, reason = build.available()
    if not works:
        warnings.warn(f"plain PyTorch serves in place of the CPU kernels: {reason}", stacklevel=2)
    return "" if works else reason


@register(
    norm.rms_norm,
    **_compiled,
    ready=_ready,
    when=lambda x, weight, eps: weight.dtype == x.dtype and _has_whole_rows(x),
)
def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return ops.rms_norm(x.reshape(-1, x.shape[-1]), weight, eps).view(x.shape)


@register(quantize.quantize_int8, **_compiled, ready=_ready, when=lambda x: x.numel() > 0)
def quantize_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    codes, scales = ops.quantize_activations(x.reshape(-1, x.shape[-1]))
    return codes.view(x.shape), scales.view(*x.shape[:-1], x.shape[-1] // GROUP)


@register(
    rotary.rope,
    **_compiled,
    ready=_ready,
    when=lambda x, positions, inv_freq, factor: x.numel() > 0,
)
def rope(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float) -> Tensor:
    return ops.rope(x_NHD, positions_N, inv_freq, factor)


@register(
    gated.swiglu,
    **_compiled,
    ready=_ready,
    when=lambda gate, up: (
        gate.dtype == up.dtype and gate.numel() > 0 and gate.numel() % _LANES == 0
    ),
)
def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    return ops.swiglu(gate, up)


def _has_whole_rows(x: Tensor) -> bool:
    return x.numel() > 0 and x.shape[-1] % _LANES == 0
