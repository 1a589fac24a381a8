"""Rotary positions: pairs of a head turned by angles that all heads of a token share."""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import rope as reference
from raylm_kernels.triton.angle import cos_sin
from raylm_kernels.triton.launched import launched

_PAIRS = 2048  # of a program: two warps have 32 pairs a thread, and few angles for them
_WARPS = 2


@triton.jit
def _move_heads(
    block,
    x_ptr,
    x_strides,
    y_ptr,
    y_strides,
    slots_ptr,
    positions_ptr,
    inv_freq_ptr,
    factor,
    tokens,
    heads,
    half,
    TOKENS: tl.constexpr,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
    IS_BACK: tl.constexpr = False,
):
    """A block of x's heads to y: into slots where there are, turned where there are frequencies."""
    head_blocks = tl.cdiv(heads, HEADS)
    tokens_at = (block // head_blocks * TOKENS + tl.arange(0, TOKENS)).to(tl.int64)
    pairs_at = tl.arange(0, HALF)
    token, pair = tokens_at[:, None, None], pairs_at[None, None, :]
    head = (block % head_blocks * HEADS + tl.arange(0, HEADS))[None, :, None]
    inside = (token < tokens) & (head < heads) & (pair < half)
    x_at = x_ptr + token * x_strides[0] + head * x_strides[1] + pair
    a, b = tl.load(x_at, inside), tl.load(x_at + half, inside)
    if inv_freq_ptr is not None:
        position = tl.load(positions_ptr + tokens_at, tokens_at < tokens, other=0).to(tl.float32)
        frequency = tl.load(inv_freq_ptr + pairs_at, pairs_at < half, other=0.0).to(tl.float32)
        cosine, sine = cos_sin(position[:, None] * frequency[None, :])
        sine = (sine * (-factor if IS_BACK else factor))[:, None, :]
        cosine = (cosine * factor)[:, None, :]
        wide_a, wide_b = a.to(tl.float32), b.to(tl.float32)
        a = (wide_a * cosine - wide_b * sine).to(x_ptr.dtype.element_ty)
        b = (wide_b * cosine + wide_a * sine).to(x_ptr.dtype.element_ty)
    row = token
    if slots_ptr is not None:
        row = tl.load(slots_ptr + block // head_blocks).to(tl.int64)  # TOKENS is 1
    y_at = y_ptr + row * y_strides[0] + head * y_strides[1] + pair
    tl.store(y_at, a.to(y_ptr.dtype.element_ty), inside)
    tl.store(y_at + half, b.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def rope_kernel(
    x_ptr,
    x_strides,
    y_ptr,
    y_strides,
    positions_ptr,
    inv_freq_ptr,
    factor,
    tokens,
    heads,
    half,
    TOKENS: tl.constexpr,
    HEADS: tl.constexpr,
    HALF: tl.constexpr,
    IS_BACK: tl.constexpr,
):
    turn = (positions_ptr, inv_freq_ptr, factor, tokens)
    move = (tl.program_id(0), x_ptr, x_strides, y_ptr, y_strides, None)
    _move_heads(*move, *turn, heads, half, TOKENS, HEADS, HALF, IS_BACK)


@triton.jit
def rope_and_store_kernel(
    q_ptr,
    q_strides,
    y_ptr,
    y_strides,
    k_ptr,
    k_strides,
    keys_ptr,
    keys_strides,
    v_ptr,
    v_strides,
    values_ptr,
    values_strides,
    slots_ptr,
    positions_ptr,
    inv_freq_ptr,
    factor,
    tokens,
    heads,
    kv_heads,
    half,
    TOKENS: tl.constexpr,
    HEADS: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HALF: tl.constexpr,
):
    """The first programs have queries, the next a token's keys, the last a token's values."""
    queries = tl.cdiv(tokens, TOKENS) * tl.cdiv(heads, HEADS)
    keys = tokens * tl.cdiv(kv_heads, KV_HEADS)
    block = tl.program_id(0)
    turn = (positions_ptr, inv_freq_ptr, factor, tokens)
    to_y = (q_ptr, q_strides, y_ptr, y_strides, None)
    to_keys = (k_ptr, k_strides, keys_ptr, keys_strides, slots_ptr)
    to_values = (v_ptr, v_strides, values_ptr, values_strides, slots_ptr, None, None)
    if block < queries:
        _move_heads(block, *to_y, *turn, heads, half, TOKENS, HEADS, HALF)
    elif block < queries + keys:
        block -= queries
        _move_heads(block, *to_keys, *turn, kv_heads, half, 1, KV_HEADS, HALF)
    else:
        block -= queries + keys
        kv = (factor, tokens, kv_heads, half)
        _move_heads(block, *to_values, *kv, 1, KV_HEADS, HALF)


@launched(reference.rope, lambda x, positions, inv_freq, factor: x.numel() > 0)
def rope(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float) -> Tensor:
    return _rotated(x_NHD, positions_N, inv_freq, factor, is_back=False)


@launched("rope_backward", lambda grads, x, positions, inv_freq, factor: x.numel() > 0)
def rope_backward(
    grads: Sequence[Tensor], x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float
) -> list[Tensor]:
    return [_rotated(grads[0], positions_N, inv_freq, factor, is_back=True)]


def _takes_caches(q: Tensor, k: Tensor, v: Tensor, *others: Any) -> bool:
    _, _, keys, values, _, _ = others
    return q.numel() > 0 and k.numel() > 0 and keys.stride(2) == values.stride(2) == 1


@launched(reference.rope_and_store, _takes_caches)
def rope_and_store(
    q_NHD: Tensor,
    k_NKD: Tensor,
    v_NKD: Tensor,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float,
) -> Tensor:
    q, k, v = _adjacent(q_NHD), _adjacent(k_NKD), _adjacent(v_NKD)
    (tokens, heads, size), kv_heads = q.shape, k.shape[1]
    y = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    tile, (_, kv_block) = _tile(heads, size), _tile(kv_heads, size)
    programs = _programs(tokens, heads, tile) + 2 * _programs(tokens, kv_heads, (1, kv_block))
    pairs = ((q, y), (k, keys_SKD), (v, values_SKD))
    rope_and_store_kernel[(programs,)](
        *(item for x, to in pairs for item in (x, x.stride()[:2], to, to.stride()[:2])),
        *(slots_N.contiguous(), positions_N.contiguous(), inv_freq.contiguous(), factor),
        *(tokens, heads, kv_heads, size // 2, *tile, kv_block),
        HALF=triton.next_power_of_2(size // 2),
        num_warps=_WARPS,
    )
    return y


def _rotated(
    x: Tensor, positions: Tensor, inv_freq: Tensor, factor: float, *, is_back: bool
) -> Tensor:
    x = _adjacent(x)
    tokens, heads, size = x.shape
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    tile = _tile(heads, size)
    rope_kernel[(_programs(tokens, heads, tile),)](
        *(x, x.stride()[:2], y, y.stride()[:2], positions.contiguous(), inv_freq.contiguous()),
        *(factor, tokens, heads, size // 2, *tile),
        HALF=triton.next_power_of_2(size // 2),
        IS_BACK=is_back,
        num_warps=_WARPS,
    )
    return y


def _tile(heads: int, size: int) -> tuple[int, int]:
    """Tokens of a program, and heads of each: as many as share an angle."""
    most = max(1, _PAIRS // triton.next_power_of_2(size // 2))
    block = min(most, triton.next_power_of_2(heads))
    return most // block, block


def _programs(tokens: int, heads: int, tile: tuple[int, int]) -> int:
    return int(triton.cdiv(tokens, tile[0]) * triton.cdiv(heads, tile[1]))


def _adjacent(x: Tensor) -> Tensor:
    return x if x.stride(2) == 1 else x.contiguous()
