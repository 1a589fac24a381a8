"""Tokens to their experts and back, with gradients.

Places come from a counting sort: each program counts a chunk of the experts, then adds up what lies
before its own. Rows move token by token, so that each is read once however many experts it goes to,
and what a token gets back is summed in the order of its experts.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import moe
from raylm_kernels.triton.launched import launched

_CHUNKS = 256
_ROW = 4096
_MOST_EXPERTS = 1024
_MOST_CHOSEN = 64


@triton.jit
def count_experts_kernel(
    experts_ptr, table_ptr, size, per_chunk, T: tl.constexpr, BX: tl.constexpr
):
    first, expert = tl.program_id(0) * per_chunk, tl.arange(0, BX)
    count = tl.zeros((BX,), tl.int32)
    for from_t in range(first, tl.minimum(first + per_chunk, size), T):
        at = from_t + tl.arange(0, T)
        chosen = tl.load(experts_ptr + at, at < size, -1).to(tl.int32)
        count += tl.sum((chosen[:, None] == expert[None, :]).to(tl.int32), 0)
    tl.store(table_ptr + tl.program_id(0) * BX + expert, count)


@triton.jit
def place_kernel(
    experts_ptr,
    table_ptr,
    rows_ptr,
    places_ptr,
    counts_ptr,
    size,
    per_chunk,
    chunks,
    num_experts,
    T: tl.constexpr,
    BX: tl.constexpr,
):
    """`rows`: where each of N x K goes; `places`: where each row comes from."""
    own, expert = tl.program_id(0), tl.arange(0, BX)
    total, before = tl.zeros((BX,), tl.int32), tl.zeros((BX,), tl.int32)
    for from_chunk in range(0, chunks, T):
        chunk = (from_chunk + tl.arange(0, T))[:, None]
        count = tl.load(table_ptr + chunk * BX + expert[None, :], chunk < chunks, 0)
        total += tl.sum(count, 0)
        before += tl.sum(tl.where(chunk < own, count, 0), 0)
    if own == 0:
        tl.store(counts_ptr + expert, total.to(tl.int64), expert < num_experts)
    next_row = tl.cumsum(total, 0) - total + before
    t = tl.arange(0, T)
    for from_t in range(own * per_chunk, tl.minimum((own + 1) * per_chunk, size), T):
        at = from_t + t
        chosen = tl.load(experts_ptr + at, at < size, -1).to(tl.int32)
        is_chosen = chosen[:, None] == expert[None, :]
        is_earlier = (chosen[:, None] == chosen[None, :]) & (t[None, :] < t[:, None])
        row = tl.sum(tl.where(is_chosen, next_row[None, :], 0), 1)
        row += tl.sum(is_earlier.to(tl.int32), 1)
        tl.store(rows_ptr + at, row, at < size)
        tl.store(places_ptr + row, at.to(tl.int64), at < size)
        next_row += tl.sum(is_chosen.to(tl.int32), 0)


@triton.jit
def invert_kernel(places_ptr, rows_ptr, size, BLOCK: tl.constexpr):
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    place = tl.load(places_ptr + row, row < size, -1)
    tl.store(rows_ptr + place, row, (place >= 0) & (place < size))


@triton.jit
def scatter_rows_kernel(x_ptr, rows_ptr, y_ptr, width, stride, K: tl.constexpr, BE: tl.constexpr):
    token, e = tl.program_id(0), tl.program_id(1) * BE + tl.arange(0, BE)
    x = tl.load(x_ptr + token.to(tl.int64) * stride + e, e < width)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        tl.store(y_ptr + row * width + e, x, e < width)


@triton.jit
def gather_rows_kernel(
    y_ptr,
    rows_ptr,
    weights_ptr,
    x_ptr,
    width,
    K: tl.constexpr,
    HAS_WEIGHTS: tl.constexpr,
    BE: tl.constexpr,
):
    """x: the sum of each token's rows of y, times its weights where there are some."""
    token, e = tl.program_id(0), tl.program_id(1) * BE + tl.arange(0, BE)
    sums = tl.zeros((BE,), tl.float32)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        y = tl.load(y_ptr + row * width + e, (row >= 0) & (e < width), 0.0).to(tl.float32)
        if HAS_WEIGHTS:
            y *= tl.load(weights_ptr + token * K + k).to(tl.float32)
        sums += y
    at = x_ptr + token.to(tl.int64) * width + e
    tl.store(at, sums.to(x_ptr.dtype.element_ty), e < width)


@triton.jit
def unpermute_backward_kernel(
    grad_ptr,
    y_ptr,
    rows_ptr,
    weights_ptr,
    grad_y_ptr,
    grad_weights_ptr,
    width,
    K: tl.constexpr,
    BE: tl.constexpr,
):
    token = tl.program_id(0)
    for k in tl.static_range(K):
        row = tl.load(rows_ptr + token * K + k).to(tl.int64)
        weight = tl.load(weights_ptr + token * K + k).to(tl.float32)
        sums = tl.zeros((BE,), tl.float32)
        for from_e in range(0, width, BE):
            e = from_e + tl.arange(0, BE)
            inside = (row >= 0) & (e < width)
            grad = tl.load(grad_ptr + token.to(tl.int64) * width + e, inside, 0.0).to(tl.float32)
            y = tl.load(y_ptr + row * width + e, inside, 0.0).to(tl.float32)
            sums += grad * y
            grad_y = (weight * grad).to(grad_y_ptr.dtype.element_ty)
            tl.store(grad_y_ptr + row * width + e, grad_y, inside)
        total = tl.sum(sums, 0).to(grad_weights_ptr.dtype.element_ty)
        tl.store(grad_weights_ptr + token * K + k, total)


class _Sorted(NamedTuple):
    rows_NK: Tensor
    places_M: Tensor
    counts_X: Tensor


def _sorted(experts_NK: Tensor, num_experts: int) -> _Sorted:
    experts, size = experts_NK.contiguous(), experts_NK.numel()
    block = triton.next_power_of_2(num_experts)
    tile = max(min(8192 // block, 128), 16)
    per_chunk = tile * triton.cdiv(size, tile * _CHUNKS)
    chunks = triton.cdiv(size, per_chunk)
    table = experts.new_empty(chunks, block, dtype=torch.int32)
    rows_NK = torch.empty_like(experts, dtype=torch.int32)
    places_M = experts.new_empty(size, dtype=torch.int64)
    counts_X = experts.new_empty(num_experts, dtype=torch.int64)
    count_experts_kernel[(chunks,)](experts, table, size, per_chunk, T=tile, BX=block)
    place_kernel[(chunks,)](
        experts,
        table,
        rows_NK,
        places_M,
        counts_X,
        size,
        per_chunk,
        chunks,
        num_experts,
        T=tile,
        BX=block,
    )
    return _Sorted(rows_NK, places_M, counts_X)


def _inverted(places_M: Tensor) -> Tensor:
    """The row that each place goes to, -1 where there is none."""
    size = places_M.numel()
    rows_NK = torch.full_like(places_M, -1, dtype=torch.int32)
    invert_kernel[(triton.cdiv(size, 1024),)](places_M.contiguous(), rows_NK, size, BLOCK=1024)
    return rows_NK


def _config(width: int) -> Mapping[str, int]:
    """Four loads of 16 bytes in each thread."""
    block = min(triton.next_power_of_2(width), _ROW)
    return {"BE": block, "num_warps": max(block // 1024, 1)}


def _gathered(y_ME: Tensor, rows_NK: Tensor, weights_NK: Tensor | None, like: Tensor) -> Tensor:
    """In the dtype of `like`."""
    (tokens, k), width = rows_NK.shape, y_ME.shape[1]
    x_NE = like.new_empty(tokens, width)
    config = _config(width)
    gather_rows_kernel[(tokens, triton.cdiv(width, config["BE"]))](
        y_ME.contiguous(),
        rows_NK,
        None if weights_NK is None else weights_NK.contiguous(),
        x_NE,
        width,
        K=k,
        HAS_WEIGHTS=weights_NK is not None,
        **config,
    )
    return x_NE


def _fits_permute(x_NE: Tensor, experts_NK: Tensor, num_experts: int) -> bool:
    fits = num_experts <= _MOST_EXPERTS and experts_NK.shape[1] <= _MOST_CHOSEN
    return fits and x_NE.numel() > 0 and 0 < experts_NK.numel() < 2**31


@launched(moe.permute_tokens, _fits_permute)
def permute_tokens(
    x_NE: Tensor, experts_NK: Tensor, num_experts: int
) -> tuple[Tensor, Tensor, Tensor]:
    (tokens, width), k = x_NE.shape, experts_NK.shape[1]
    x_NE = x_NE if x_NE.stride(1) == 1 else x_NE.contiguous()
    found = _sorted(experts_NK, num_experts)
    y_ME = x_NE.new_empty(tokens * k, width)
    config = _config(width)
    scatter_rows_kernel[(tokens, triton.cdiv(width, config["BE"]))](
        x_NE, found.rows_NK, y_ME, width, x_NE.stride(0), K=k, **config
    )
    return y_ME, found.places_M, found.counts_X


@launched(
    "permute_tokens_backward",
    lambda grads, *args: grads[0] is not None and _fits_permute(*args),
)
def permute_tokens_backward(
    grads: Sequence[Tensor], x_NE: Tensor, experts_NK: Tensor, num_experts: int
) -> list[Tensor]:
    return [_gathered(grads[0], _sorted(experts_NK, num_experts).rows_NK, None, x_NE)]


def _fits_unpermute(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> bool:
    return y_ME.numel() > 0 and len(y_ME) < 2**31 and weights_NK.shape[1] <= _MOST_CHOSEN


@launched(moe.unpermute_tokens, _fits_unpermute)
def unpermute_tokens(y_ME: Tensor, places_M: Tensor, weights_NK: Tensor) -> Tensor:
    rows_NK = _inverted(places_M).view(weights_NK.shape)
    return _gathered(y_ME, rows_NK, weights_NK, y_ME)


@launched("unpermute_tokens_backward", lambda grads, *args: _fits_unpermute(*args))
def unpermute_tokens_backward(
    grads: Sequence[Tensor], y_ME: Tensor, places_M: Tensor, weights_NK: Tensor
) -> list[Tensor]:
    (tokens, k), width = weights_NK.shape, y_ME.shape[1]
    grad_y, grad_weights = y_ME.new_empty(y_ME.shape), weights_NK.new_empty(tokens, k)
    config = _config(width)
    unpermute_backward_kernel[(tokens,)](
        grads[0].contiguous(),
        y_ME.contiguous(),
        _inverted(places_M),
        weights_NK.contiguous(),
        grad_y,
        grad_weights,
        width,
        K=k,
        **config,
    )
    return [grad_y, grad_weights]
