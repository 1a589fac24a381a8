"""Lists of the blocks of keys that each block of queries sees, or the other way round.

Clear blocks, where every query sees every key, are listed from the front, the others, the edges,
from the back; in between lies nothing.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists

_BLOCK = 256


@triton.jit
def lists_kernel(
    kept_ptr,
    places_ptr,
    counts_ptr,
    rows,
    columns,
    queries,
    keys,
    BLOCK_SIZE: tl.constexpr,
    CAUSAL: tl.constexpr,
    IS_BY_KEY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    lines, length = (columns, rows) if IS_BY_KEY else (rows, columns)
    at = tl.program_id(0).to(tl.int64)
    head, line = at // lines, at % lines
    places_ptr += at * length
    clear, edges = 0, 0
    for first in range(0, length, BLOCK):
        other = first + tl.arange(0, BLOCK)
        row, column = (other, line) if IS_BY_KEY else (line, other)
        kept = tl.load(kept_ptr + (head * rows + row) * columns + column, other < length, other=0)
        query, key = row * BLOCK_SIZE, column * BLOCK_SIZE
        is_kept = kept != 0
        is_clear = is_kept & (query + BLOCK_SIZE <= queries) & (key + BLOCK_SIZE <= keys)
        if CAUSAL:
            ahead = keys - queries
            is_kept &= key <= query + BLOCK_SIZE - 1 + ahead
            is_clear &= key + BLOCK_SIZE - 1 <= query + ahead
        is_edge = is_kept & (is_clear == 0)
        place = clear + tl.cumsum(is_clear.to(tl.int32), 0) - 1
        tl.store(places_ptr + place, other, is_clear)
        place = length - edges - tl.cumsum(is_edge.to(tl.int32), 0)
        tl.store(places_ptr + place, other, is_edge)
        clear += tl.sum(is_clear.to(tl.int32), 0)
        edges += tl.sum(is_edge.to(tl.int32), 0)
    tl.store(counts_ptr + 2 * at, clear)
    tl.store(counts_ptr + 2 * at + 1, edges)


def lists_of(
    call: AttentionCall, blocks_HRC: Tensor, block_size: int, is_by_key: bool = False
) -> Lists:
    """For each block of queries, or of keys."""
    heads, rows, columns = blocks_HRC.shape
    lines, length = (columns, rows) if is_by_key else (rows, columns)
    places = torch.empty(heads, lines, length, dtype=torch.int32, device=blocks_HRC.device)
    counts = torch.empty(heads, lines, 2, dtype=torch.int32, device=blocks_HRC.device)
    lists_kernel[(heads * lines,)](
        blocks_HRC.contiguous().view(torch.uint8),
        places,
        counts,
        rows,
        columns,
        call.queries,
        call.keys,
        BLOCK_SIZE=block_size,
        CAUSAL=call.causal,
        IS_BY_KEY=is_by_key,
        BLOCK=_BLOCK,
    )
    return Lists(places, counts, block_size)
