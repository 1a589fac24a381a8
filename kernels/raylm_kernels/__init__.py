"""Kernels: every op in plain PyTorch, and faster implementations where there are. Knows torch only.

The public names load on first use (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raylm_kernels import registry
    from raylm_kernels.arguments import ArgumentError
    from raylm_kernels.catalog import (
        adamw_step,
        add_rms_norm,
        attention,
        block_sparse_attention,
        cross_entropy,
        dequantize_fp8,
        dequantize_int4,
        dequantize_int8,
        fp8_linear,
        gated_linear,
        geglu,
        grouped_linear,
        layer_norm,
        layer_norm_linear,
        linear_add,
        linear_cross_entropy,
        linear_cross_entropy_gradients,
        linear_cross_entropy_sum,
        linear_rope,
        lion_step,
        masked_softmax,
        norm_gated_linear,
        norm_linear,
        norm_linear_rope_and_store,
        op,
        pack_int4,
        packed_int4_linear,
        paged_attention,
        paged_decode_attention,
        permute_tokens,
        quantize_fp8,
        quantize_fp8_rows,
        quantize_int4,
        quantize_int8,
        quantized_linear,
        register,
        rms_norm,
        rms_norm_int8,
        rope,
        rope_and_store,
        route_top_k,
        sample,
        squared_norm,
        swiglu,
        token_logprobs,
        unpermute_tokens,
        unscale_and_clip,
        weight_only_linear,
    )
    from raylm_kernels.cpu.decoder import PackedDecoder
    from raylm_kernels.cpu.dims import DecoderDims
    from raylm_kernels.custom import BuildError, load_cpp, load_cuda
    from raylm_kernels.fusion import FusionError, fuse
    from raylm_kernels.quantize import QuantizedWeight, dequantize_weight, quantize_weight

_HOMES = {
    "ArgumentError": "raylm_kernels.arguments",
    "BuildError": "raylm_kernels.custom",
    "DecoderDims": "raylm_kernels.cpu.dims",
    "FusionError": "raylm_kernels.fusion",
    "PackedDecoder": "raylm_kernels.cpu.decoder",
    "QuantizedWeight": "raylm_kernels.quantize",
    "dequantize_weight": "raylm_kernels.quantize",
    "fuse": "raylm_kernels.fusion",
    "load_cpp": "raylm_kernels.custom",
    "load_cuda": "raylm_kernels.custom",
    "quantize_weight": "raylm_kernels.quantize",
}

__all__ = [
    "ArgumentError",
    "BuildError",
    "DecoderDims",
    "FusionError",
    "PackedDecoder",
    "QuantizedWeight",
    "adamw_step",
    "add_rms_norm",
    "attention",
    "block_sparse_attention",
    "cross_entropy",
    "dequantize_fp8",
    "dequantize_int4",
    "dequantize_int8",
    "dequantize_weight",
    "fp8_linear",
    "fuse",
    "gated_linear",
    "geglu",
    "grouped_linear",
    "layer_norm",
    "layer_norm_linear",
    "linear_add",
    "linear_cross_entropy",
    "linear_cross_entropy_gradients",
    "linear_cross_entropy_sum",
    "linear_rope",
    "lion_step",
    "load_cpp",
    "load_cuda",
    "masked_softmax",
    "norm_gated_linear",
    "norm_linear",
    "norm_linear_rope_and_store",
    "op",
    "pack_int4",
    "packed_int4_linear",
    "paged_attention",
    "paged_decode_attention",
    "permute_tokens",
    "quantize_fp8",
    "quantize_fp8_rows",
    "quantize_int4",
    "quantize_int8",
    "quantize_weight",
    "quantized_linear",
    "register",
    "registry",
    "rms_norm",
    "rms_norm_int8",
    "rope",
    "rope_and_store",
    "route_top_k",
    "sample",
    "squared_norm",
    "swiglu",
    "token_logprobs",
    "unpermute_tokens",
    "unscale_and_clip",
    "weight_only_linear",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'raylm_kernels' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "raylm_kernels.catalog")), name)


def __dir__() -> list[str]:
    return __all__
