"""Every op, and every implementation that comes with the library: importing it registers them."""

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

import raylm_kernels.registry as registry
from raylm_kernels.cpu import (
    activations,
    gated,
    linear,
    loss,
    norm,
    optimizer,
    sparse_attention,
)
from raylm_kernels.cpu import attention as cpu_attention
from raylm_kernels.fused_loss import linear_cross_entropy_sum
from raylm_kernels.op import op
from raylm_kernels.reference.attention import (
    attention,
    block_sparse_attention,
    paged_attention,
    paged_decode_attention,
)
from raylm_kernels.reference.decoder import norm_gated_linear, norm_linear_rope_and_store
from raylm_kernels.reference.fp8_linear import fp8_linear, quantize_fp8_rows
from raylm_kernels.reference.fused import (
    gated_linear,
    layer_norm_linear,
    linear_add,
    linear_rope,
    masked_softmax,
)
from raylm_kernels.reference.gated import geglu, swiglu
from raylm_kernels.reference.linear import (
    pack_int4,
    packed_int4_linear,
    quantized_linear,
    weight_only_linear,
)
from raylm_kernels.reference.loss import (
    cross_entropy,
    linear_cross_entropy,
    linear_cross_entropy_gradients,
    token_logprobs,
)
from raylm_kernels.reference.moe import (
    grouped_linear,
    permute_tokens,
    route_top_k,
    unpermute_tokens,
)
from raylm_kernels.reference.norm import (
    add_rms_norm,
    layer_norm,
    norm_linear,
    rms_norm,
    rms_norm_int8,
)
from raylm_kernels.reference.optimizer import (
    adamw_step,
    lion_step,
    squared_norm,
    unscale_and_clip,
)
from raylm_kernels.reference.quantize import (
    dequantize_fp8,
    dequantize_int4,
    dequantize_int8,
    quantize_fp8,
    quantize_int4,
    quantize_int8,
)
from raylm_kernels.reference.rope import rope, rope_and_store
from raylm_kernels.reference.sampling import sample
from raylm_kernels.registry import register

IMPLEMENTATIONS: tuple[ModuleType, ...] = (
    activations,
    cpu_attention,
    gated,
    linear,
    loss,
    norm,
    optimizer,
    sparse_attention,
)
"""Modules that register some when they are imported."""

if find_spec("triton") and (torch.cuda.is_available() or os.environ.get("TRITON_INTERPRET") == "1"):
    IMPLEMENTATIONS += import_module("raylm_kernels.triton.catalog").IMPLEMENTATIONS

__all__ = [
    "IMPLEMENTATIONS",
    "adamw_step",
    "add_rms_norm",
    "attention",
    "block_sparse_attention",
    "cross_entropy",
    "dequantize_fp8",
    "dequantize_int4",
    "dequantize_int8",
    "fp8_linear",
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
