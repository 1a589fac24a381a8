"""Which row each token goes to for each of its experts: a counting sort, stable, and its inverse.

Each program counts a chunk of the experts, then adds up what lies before its own.
"""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

_CHUNKS = 256


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


class Sorted(NamedTuple):
    rows_NK: Tensor
    places_M: Tensor
    counts_X: Tensor


def sorted_by_expert(experts_NK: Tensor, num_experts: int) -> Sorted:
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
    return Sorted(rows_NK, places_M, counts_X)


def inverted(places_M: Tensor) -> Tensor:
    """The row that each place goes to, -1 where there is none."""
    size = places_M.numel()
    rows_NK = torch.full_like(places_M, -1, dtype=torch.int32)
    invert_kernel[(triton.cdiv(size, 1024),)](places_M.contiguous(), rows_NK, size, BLOCK=1024)
    return rows_NK
