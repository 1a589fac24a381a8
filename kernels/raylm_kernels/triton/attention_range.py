"""Which keys a tile of queries sees, and which queries see a tile of keys.

`clear` tiles, where every query sees every key, need no mask; the others that are seen, the edges,
do. They are a range around the clear ones, or those of blocks in a list (`block_sparse_lists`): the
clear ones from its begin on, the edges from its end back. Without a window it is None, and so are
the bounds of the sequences where there is one in a row, and the list.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import Sequences

_BLOCK, _STARTS = 128, 32


@triton.jit
def bounds_kernel(
    starts_ptr, begin_ptr, end_ptr, count, length, BLOCK: tl.constexpr, STARTS: tl.constexpr
):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    begin = tl.zeros((BLOCK,), tl.int32)
    end = tl.zeros((BLOCK,), tl.int32) + length
    for first in range(0, count, STARTS):
        place = first + tl.arange(0, STARTS)
        starts = tl.load(starts_ptr + place, place < count, other=length).to(tl.int32)[None, :]
        is_past = starts <= at[:, None]
        begin = tl.maximum(begin, tl.max(tl.where(is_past, starts, 0), 1))
        end = tl.minimum(end, tl.min(tl.where(is_past, length, starts), 1))
    tl.store(begin_ptr + at, begin, at < length)
    tl.store(end_ptr + at, end, at < length)


def sequence_bounds(starts: Tensor | None, length: int) -> Sequences | None:
    if starts is None:
        return None
    begin, end = torch.empty(2, length, dtype=torch.int32, device=starts.device)
    bounds_kernel[(triton.cdiv(length, _BLOCK),)](
        starts.contiguous(), begin, end, len(starts), length, BLOCK=_BLOCK, STARTS=_STARTS
    )
    return Sequences(begin, end)


@triton.jit
def is_seen(query, key, begin_ptr, end_ptr, queries, keys, window, CAUSAL: tl.constexpr):
    """Of queries along one dimension and keys along another; of queries that are not there it says
    anything."""
    at = query + (keys - queries)
    seen = key <= at if CAUSAL else key < keys
    if window is not None:
        seen &= key > at - window
    if begin_ptr is not None:
        seen &= key >= tl.load(begin_ptr + query, query < queries, other=0)
        if not CAUSAL:
            seen &= key < tl.load(end_ptr + query, query < queries, other=0)
    return seen


@triton.jit
def keys_seen(
    first,
    begin_ptr,
    end_ptr,
    queries,
    keys,
    window,
    CAUSAL: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """By the queries of the tile from `first` on: where the first tile of keys begins, the first
    clear one, how many are clear, and how many edges."""
    last = tl.minimum(first + BLOCK_M, queries) - 1
    ahead = keys - queries
    low, clear_low, clear_high, high = _sequences(first, last, begin_ptr, end_ptr, keys)
    if CAUSAL:
        high = tl.minimum(high, last + ahead + 1)
        clear_high = tl.minimum(clear_high, first + ahead + 1)
    if window is not None:
        low = tl.maximum(low, first + ahead - window + 1)
        clear_low = tl.maximum(clear_low, last + ahead - window + 1)
    return _tiles(low, clear_low, clear_high, high, BLOCK_N)


@triton.jit
def queries_seeing(
    first,
    begin_ptr,
    end_ptr,
    queries,
    keys,
    window,
    CAUSAL: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """The same of the tiles of queries that see the keys of the tile from `first` on."""
    last = tl.minimum(first + BLOCK_N, keys) - 1
    ahead = keys - queries
    low, clear_low, clear_high, high = _sequences(first, last, begin_ptr, end_ptr, queries)
    if CAUSAL:
        low = tl.maximum(low, first - ahead)
        clear_low = tl.maximum(clear_low, last - ahead)
    if window is not None:
        high = tl.minimum(high, last + window - ahead)
        clear_high = tl.minimum(clear_high, first + window - ahead)
    return _tiles(low, clear_low, clear_high, high, BLOCK_M)


@triton.jit
def _sequences(first, last, begin_ptr, end_ptr, length):
    """Of the sequences at `first` to `last`: where the first begins, the last begins, the first
    ends, the last ends."""
    begin, clear_begin, clear_end, end = 0, 0, length, length
    if begin_ptr is not None:
        begin, clear_begin = tl.load(begin_ptr + first), tl.load(begin_ptr + last)
        clear_end, end = tl.load(end_ptr + first), tl.load(end_ptr + last)
    return begin, clear_begin, clear_end, end


@triton.jit
def _tiles(low, clear_low, clear_high, high, BLOCK: tl.constexpr):
    start = tl.maximum(low, 0) // BLOCK
    stop = tl.maximum(tl.cdiv(tl.maximum(high, 0), BLOCK), start)
    clear_start = tl.cdiv(tl.maximum(clear_low, 0), BLOCK)
    clear = tl.maximum(tl.maximum(clear_high, 0) // BLOCK - clear_start, 0)
    return start * BLOCK, clear_start * BLOCK, clear, stop - start - clear


@triton.jit
def tiles_seen(
    first, head, begin_ptr, end_ptr, counts_ptr, list_heads, queries, keys, window,
    CAUSAL: tl.constexpr, BLOCK_SIZE: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
    IS_BY_KEY: tl.constexpr,
):  # fmt: skip
    """`keys_seen`, or `queries_seeing`, or what is listed, and the line of the list."""
    line = head * 0
    if counts_ptr is not None:
        lines = tl.cdiv(keys if IS_BY_KEY else queries, BLOCK_SIZE)
        line = head % list_heads * lines + first // BLOCK_SIZE
        start, clear_start, clear, edges = listed(
            counts_ptr + 2 * line, BLOCK_SIZE, BLOCK_M if IS_BY_KEY else BLOCK_N
        )
    elif IS_BY_KEY:
        start, clear_start, clear, edges = queries_seeing(
            first, begin_ptr, end_ptr, queries, keys, window, CAUSAL, BLOCK_M, BLOCK_N
        )
    else:
        start, clear_start, clear, edges = keys_seen(
            first, begin_ptr, end_ptr, queries, keys, window, CAUSAL, BLOCK_M, BLOCK_N
        )
    return start, clear_start, clear, edges, line


@triton.jit
def listed(counts_ptr, block_size, BLOCK: tl.constexpr):
    """The same of a list of blocks, whose places say where the tiles begin."""
    tiles = block_size // BLOCK
    return 0, 0, tl.load(counts_ptr) * tiles, tl.load(counts_ptr + 1) * tiles


@triton.jit
def clear_tile(i, clear_start, list_ptr, block_size, BLOCK: tl.constexpr):
    """Where the clear tile number `i` begins."""
    at = clear_start + i * BLOCK
    if list_ptr is not None:
        tiles = block_size // BLOCK
        at = tl.load(list_ptr + i // tiles) * block_size + i % tiles * BLOCK
    return at


@triton.jit
def edge_tile(i, start, clear_start, clear, list_ptr, longest, block_size, BLOCK: tl.constexpr):
    """Where the edge number `i` begins."""
    at = start + i * BLOCK
    at = tl.where((clear > 0) & (at >= clear_start), at + clear * BLOCK, at)
    if list_ptr is not None:
        tiles = block_size // BLOCK
        block = tl.load(list_ptr + longest - 1 - i // tiles)
        at = block * block_size + i % tiles * BLOCK
    return at
