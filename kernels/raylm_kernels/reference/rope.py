"""Rotary positions (Su et al. 2021, https://arxiv.org/abs/2104.09864), in the order of Llama: the
pairs of a head are (i, i + D/2)."""

import torch
from torch import Tensor

from raylm_kernels.arguments import require, require_integers, require_shape
from raylm_kernels.op import op
from raylm_kernels.reference.numbers import wide


def _check_rope(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float) -> None:
    _check("rope", "x_NHD", x_NHD, positions_N, inv_freq)


@op(gradients=("x_NHD",), check=_check_rope)
def rope(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float = 1.0) -> Tensor:
    """Turn the pairs of every head by position * inv_freq[i]; `factor` scales all (YaRN's)."""
    return rotated(x_NHD, positions_N, inv_freq, factor)


def _check_rope_and_store(
    q_NHD: Tensor,
    k_NKD: Tensor,
    v_NKD: Tensor,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float,
) -> None:
    name = "rope_and_store"
    _check(name, "q_NHD", q_NHD, positions_N, inv_freq)
    _check(name, "k_NKD", k_NKD, positions_N, inv_freq)
    require_shape(name, "v_NKD", v_NKD, tuple(k_NKD.shape))
    require_shape(name, "slots_N", slots_N, (len(q_NHD),))
    require_integers(name, "slots_N", slots_N)
    for label, cache in (("keys_SKD", keys_SKD), ("values_SKD", values_SKD)):
        require_shape(name, label, cache, (len(keys_SKD), *k_NKD.shape[1:]))


@op(mutates=("keys_SKD", "values_SKD"), check=_check_rope_and_store)
def rope_and_store(
    q_NHD: Tensor,
    k_NKD: Tensor,
    v_NKD: Tensor,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float = 1.0,
) -> Tensor:
    """Turn queries and keys, and put keys and values into `slots_N` of the caches; the queries."""
    slots = slots_N.long()
    keys = rotated(k_NKD, positions_N, inv_freq, factor)
    keys_SKD.index_copy_(0, slots, keys.to(keys_SKD.dtype))
    values_SKD.index_copy_(0, slots, v_NKD.to(values_SKD.dtype))
    return rotated(q_NHD, positions_N, inv_freq, factor)


def rotated(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float) -> Tensor:
    value = wide(x_NHD)
    angles = positions_N.to(value.dtype)[:, None] * inv_freq.to(value.dtype)
    cos = (angles.cos() * factor)[:, None, :]
    sin = (angles.sin() * factor)[:, None, :]
    a, b = value.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x_NHD.dtype)


def _check(op: str, name: str, x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor) -> None:
    require(x_NHD.ndim == 3, op, name, "three dimensions, N x H x D", x_NHD)
    require(x_NHD.shape[-1] % 2 == 0, op, name, "heads of even size", x_NHD)
    require_shape(op, "positions_N", positions_N, (len(x_NHD),))
    require_shape(op, "inv_freq", inv_freq, (x_NHD.shape[-1] // 2,))
