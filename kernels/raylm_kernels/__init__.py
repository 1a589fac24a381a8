"""Kernels: plain PyTorch references and compiled C++ for the CPU. Knows torch only.

The public names load on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raylm_kernels.cpu.decoder import PackedDecoder
    from raylm_kernels.cpu.dims import DecoderDims
    from raylm_kernels.custom import BuildError, load_cpp
    from raylm_kernels.quantize import QuantizedWeight, dequantize_weight, quantize_weight
    from raylm_kernels.reference import rms_norm, rope, swiglu

_HOMES = {
    "BuildError": "raylm_kernels.custom",
    "DecoderDims": "raylm_kernels.cpu.dims",
    "PackedDecoder": "raylm_kernels.cpu.decoder",
    "QuantizedWeight": "raylm_kernels.quantize",
    "dequantize_weight": "raylm_kernels.quantize",
    "load_cpp": "raylm_kernels.custom",
    "quantize_weight": "raylm_kernels.quantize",
    "rms_norm": "raylm_kernels.reference",
    "rope": "raylm_kernels.reference",
    "swiglu": "raylm_kernels.reference",
}

__all__ = [
    "BuildError",
    "DecoderDims",
    "PackedDecoder",
    "QuantizedWeight",
    "dequantize_weight",
    "load_cpp",
    "quantize_weight",
    "rms_norm",
    "rope",
    "swiglu",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'raylm_kernels' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
