"""How the halves of a decoder layer begin: normalised, multiplied by several matrices at once. Made
of other ops, each served by what is best for it, where no implementation does all in one."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from raylm_kernels.arguments import require, require_integers, require_last, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.fused import gated_linear
from raylm_kernels.reference.norm import rms_norm
from raylm_kernels.reference.rope import rope_and_store


def _check_norm_gated_linear(
    x: Tensor,
    norm_weight: Tensor,
    gate_weight: Tensor,
    up_weight: Tensor,
    activation: str,
    eps: float,
) -> None:
    name = "norm_gated_linear"
    require_last(name, "norm_weight", norm_weight, x)
    require(gate_weight.ndim == 2, name, "gate_weight", "two dimensions", gate_weight)
    for label, weight in (("gate_weight", gate_weight), ("up_weight", up_weight)):
        require_shape(name, label, weight, (len(gate_weight), x.shape[-1]))


@op(check=_check_norm_gated_linear)
def norm_gated_linear(
    x: Tensor,
    norm_weight: Tensor,
    gate_weight: Tensor,
    up_weight: Tensor,
    activation: str = "silu",
    eps: float = 1e-6,
) -> Tensor:
    """gated_linear of rms_norm(x)."""
    normed = rms_norm(x, norm_weight, eps)
    return gated_linear(normed, gate_weight, up_weight, activation)


def _check_norm_linear_rope_and_store(
    x_NE: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float,
    eps: float,
) -> None:
    name = "norm_linear_rope_and_store"
    require(x_NE.ndim == 2, name, "x_NE", "two dimensions, N x E", x_NE)
    require_last(name, "norm_weight", norm_weight, x_NE)
    require(keys_SKD.ndim == 3, name, "keys_SKD", "three dimensions, S x K x D", keys_SKD)
    require_shape(name, "values_SKD", values_SKD, tuple(keys_SKD.shape))
    kv_heads, size = keys_SKD.shape[1:]
    require_shape(name, "inv_freq", inv_freq, (size // 2,))
    require(weight.ndim == 2, name, "weight", "two dimensions", weight)
    heads = len(weight) // size - 2 * kv_heads
    fits = heads > 0 and len(weight) == (heads + 2 * kv_heads) * size
    rows = f"rows of whole heads of size {size}, {2 * kv_heads} of them for keys and values"
    require(fits, name, "weight", rows, weight)
    require_shape(name, "weight", weight, (len(weight), x_NE.shape[1]))
    if bias is not None:
        require_shape(name, "bias", bias, (len(weight),))
    for label, places in (("positions_N", positions_N), ("slots_N", slots_N)):
        require_shape(name, label, places, (len(x_NE),))
        require_integers(name, label, places)


@op(mutates=("keys_SKD", "values_SKD"), check=_check_norm_linear_rope_and_store)
def norm_linear_rope_and_store(
    x_NE: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float = 1.0,
    eps: float = 1e-6,
) -> Tensor:
    """rope_and_store of the queries, keys and values of rms_norm(x), whose matrices are the rows of
    `weight` in this order; the queries."""
    kv_heads, size = keys_SKD.shape[1:]
    qkv = linear(rms_norm(x_NE, norm_weight, eps), weight, bias)
    counts = [len(weight) // size - 2 * kv_heads, kv_heads, kv_heads]
    q, k, v = torch.split(qkv.view(len(x_NE), sum(counts), size), counts, dim=1)
    return rope_and_store(q, k, v, positions_N, inv_freq, keys_SKD, values_SKD, slots_N, factor)
