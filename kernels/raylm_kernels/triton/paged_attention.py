"""Attention over a cache in blocks: of one sequence's queries, and of one query of many sequences.

The G query heads that share keys are rows of one tile, so that keys and values are read once. Long
pasts are split over programs, whose parts a second kernel joins (flash-decoding, Dao et al. 2023,
https://pytorch.org/blog/flash-decoding).
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import attention
from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.overlap import let_next_begin, overlap, wait_for_others

_LOG2_E = tl.constexpr(1.4426950408889634)
_MOST_PARTS = 128
_LEAST_PART = 128  # tokens; shorter ones take less time than joining them
_WAVES = 8  # programs for each multiprocessor


@triton.jit
def _capped(scores, SOFTCAP: tl.constexpr):
    if SOFTCAP > 0.0:
        tanh = 1.0 - 2.0 / (1.0 + tl.exp(scores * (2.0 / SOFTCAP)))
        scores = SOFTCAP * tanh
    return scores


@triton.jit
def _seen_tile(
    q, slots, seen, inside, keys_ptr, values_ptr, stride_keys, stride_values, dims, is_dim,
    best, total, sums, scale,
    SOFTCAP: tl.constexpr, WIDE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """One more tile of keys and values: the rows' maxima, sums of exponentials (of 2) and of
    weighted values."""
    keys_at = slots[None, :] * stride_keys + dims[:, None]
    keys = tl.load(keys_ptr + keys_at, is_dim[:, None] & inside[None, :], other=0.0)
    values_at = slots[:, None] * stride_values + dims[None, :]
    values = tl.load(values_ptr + values_at, inside[:, None] & is_dim[None, :], other=0.0)
    if WIDE:
        keys, values = keys.to(tl.float32), values.to(tl.float32)
    scores = _capped(tl.dot(q, keys, input_precision=PRECISION) * scale, SOFTCAP)
    scores = tl.where(seen, scores * _LOG2_E, float("-inf"))
    highest = tl.maximum(best, tl.max(scores, 1))
    shift = tl.where(highest == float("-inf"), 0.0, highest)
    weights = tl.exp2(scores - shift[:, None])
    shrink = tl.exp2(best - shift)
    total = total * shrink + tl.sum(weights, 1)
    weights = weights.to(values.dtype)
    sums = tl.dot(weights, values, sums * shrink[:, None], input_precision=PRECISION)
    return highest, total, sums


@triton.jit
def paged_decode_kernel(
    q_ptr, keys_ptr, values_ptr, tables_ptr, lengths_ptr, out_ptr, parts_ptr, logs_ptr,
    stride_qb, stride_qh, stride_ks, stride_kh, stride_vs, stride_vh, stride_table,
    kv_heads, scale,
    GROUP: tl.constexpr, SIZE: tl.constexpr, PARTS: tl.constexpr, PAGE: tl.constexpr,
    ROWS: tl.constexpr, TILE: tl.constexpr, DIMS: tl.constexpr,
    SOFTCAP: tl.constexpr, WIDE: tl.constexpr, PRECISION: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    let_next_begin(OVERLAPS)
    wait_for_others(OVERLAPS)
    ROW_TILES: tl.constexpr = (GROUP + ROWS - 1) // ROWS
    row_tile, of_heads = tl.program_id(0) % ROW_TILES, tl.program_id(0) // ROW_TILES
    kv_head, of_parts = of_heads % kv_heads, of_heads // kv_heads
    part, row = of_parts % PARTS, of_parts // PARTS
    member = row_tile * ROWS + tl.arange(0, ROWS)
    head, dims = kv_head * GROUP + member, tl.arange(0, DIMS)
    is_dim = dims < SIZE
    is_head = (member < GROUP)[:, None] & is_dim[None, :]
    q_at = row.to(tl.int64) * stride_qb + head[:, None] * stride_qh + dims[None, :]
    q = tl.load(q_ptr + q_at, is_head, other=0.0)
    if WIDE:
        q = q.to(tl.float32)

    length = tl.load(lengths_ptr + row).to(tl.int32)
    begin, end = _part(length, part, PARTS, TILE)
    keys_ptr += kv_head.to(tl.int64) * stride_kh
    values_ptr += kv_head.to(tl.int64) * stride_vh
    tables_ptr += row.to(tl.int64) * stride_table
    best = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    sums = tl.zeros([ROWS, DIMS], tl.float32)
    for start in range(begin, end, TILE):
        at = start + tl.arange(0, TILE)
        inside = at < end
        blocks = tl.load(tables_ptr + at // PAGE, inside, other=0).to(tl.int64)
        best, total, sums = _seen_tile(
            q, blocks * PAGE + at % PAGE, inside[None, :], inside, keys_ptr, values_ptr,
            stride_ks, stride_vs, dims, is_dim, best, total, sums, scale,
            SOFTCAP, WIDE, PRECISION,
        )  # fmt: skip
    sums /= tl.where(total == 0.0, 1.0, total)[:, None]
    out_row = row.to(tl.int64) * kv_heads * GROUP + head
    if PARTS == 1:
        out_at = out_row[:, None] * SIZE + dims[None, :]
        tl.store(out_ptr + out_at, sums.to(out_ptr.dtype.element_ty), is_head)
    else:
        part_at = out_row * PARTS + part
        tl.store(parts_ptr + part_at[:, None] * SIZE + dims[None, :], sums, is_head)
        tl.store(logs_ptr + part_at, best + tl.log2(total), member < GROUP)


@triton.jit
def _part(length, part, PARTS: tl.constexpr, TILE: tl.constexpr):
    """Whole tiles, about as many for each part of a sequence, however long it is."""
    size = tl.cdiv(tl.cdiv(length, TILE), PARTS) * TILE
    begin = part * size
    return begin, tl.minimum(begin + size, length)


@triton.jit
def join_parts_kernel(
    parts_ptr, logs_ptr, out_ptr,
    SIZE: tl.constexpr, PARTS: tl.constexpr, LOGS: tl.constexpr, DIMS: tl.constexpr,
    TILE: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    let_next_begin(OVERLAPS)
    wait_for_others(OVERLAPS)
    row = tl.program_id(0).to(tl.int64)
    part, dims = tl.arange(0, LOGS), tl.arange(0, DIMS)
    logs = tl.load(logs_ptr + row * PARTS + part, part < PARTS, other=float("-inf"))
    highest = tl.max(logs, 0)
    highest = tl.where(highest == float("-inf"), 0.0, highest)
    total = tl.sum(tl.exp2(logs - highest), 0)
    sums = tl.zeros([DIMS], tl.float32)
    for start in tl.static_range(0, PARTS, TILE):
        part = start + tl.arange(0, TILE)
        log = tl.load(logs_ptr + row * PARTS + part, part < PARTS, other=float("-inf"))
        at = (row * PARTS + part)[:, None] * SIZE + dims[None, :]
        values = tl.load(parts_ptr + at, (part < PARTS)[:, None] & (dims < SIZE)[None, :], 0.0)
        sums += tl.sum(values * tl.exp2(log - highest)[:, None], 0)
    sums /= tl.where(total == 0.0, 1.0, total)
    tl.store(out_ptr + row * SIZE + dims, sums.to(out_ptr.dtype.element_ty), dims < SIZE)


@triton.jit
def paged_attention_kernel(
    q_ptr, keys_ptr, values_ptr, slots_ptr, positions_ptr, out_ptr,
    stride_qn, stride_qh, stride_ks, stride_kh, stride_vs, stride_vh,
    tokens, length, kv_heads, scale,
    GROUP: tl.constexpr, SIZE: tl.constexpr,
    ROWS: tl.constexpr, TILE: tl.constexpr, DIMS: tl.constexpr,
    SOFTCAP: tl.constexpr, WIDE: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    kv_head, tile = tl.program_id(0) % kv_heads, tl.program_id(0) // kv_heads
    tile = tl.cdiv(tokens * GROUP, ROWS) - 1 - tile  # the last see most: they begin first
    row, dims = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, DIMS)
    token, head = row // GROUP, kv_head * GROUP + row % GROUP
    is_dim, is_row = dims < SIZE, token < tokens
    is_q = is_row[:, None] & is_dim[None, :]
    q_at = token.to(tl.int64)[:, None] * stride_qn + head[:, None] * stride_qh + dims[None, :]
    q = tl.load(q_ptr + q_at, is_q, other=0.0)
    if WIDE:
        q = q.to(tl.float32)

    position = tl.load(positions_ptr + token, is_row, other=-1).to(tl.int32)
    end = tl.minimum(tl.max(position, 0) + 1, length)
    keys_ptr += kv_head.to(tl.int64) * stride_kh
    values_ptr += kv_head.to(tl.int64) * stride_vh
    best = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    sums = tl.zeros([ROWS, DIMS], tl.float32)
    for start in range(0, end, TILE):
        at = start + tl.arange(0, TILE)
        inside = at < end
        slots = tl.load(slots_ptr + at, inside, other=0).to(tl.int64)
        seen = (at[None, :] <= position[:, None]) & inside[None, :]
        best, total, sums = _seen_tile(
            q, slots, seen, inside, keys_ptr, values_ptr, stride_ks, stride_vs, dims, is_dim,
            best, total, sums, scale, SOFTCAP, WIDE, PRECISION,
        )  # fmt: skip
    sums /= tl.where(total == 0.0, 1.0, total)[:, None]
    out_row = token.to(tl.int64) * kv_heads * GROUP + head
    out_at = out_row[:, None] * SIZE + dims[None, :]
    tl.store(out_ptr + out_at, sums.to(out_ptr.dtype.element_ty), is_q)


def _reads(q: Tensor, keys: Tensor, values: Tensor, *others: object) -> bool:
    return q.numel() > 0 and keys.stride(-1) == values.stride(-1) == 1


@launched(attention.paged_decode_attention, _reads)
def paged_decode_attention(
    q_BHD: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    block_tables_BP: Tensor,
    lengths_B: Tensor,
    block_size: int,
    softcap: float,
    scale: float,
) -> Tensor:
    q, tables = _dense(q_BHD), _dense(block_tables_BP)
    batch, heads, size = q.shape
    kv_heads = keys_SKD.shape[1]
    group, dims = heads // kv_heads, _dims(size)
    dtype, is_wide = _multiplied(q, keys_SKD, values_SKD)
    rows = min(64, _most_rows(dims, dtype), _dims(group))
    tile = _tile(dims, dtype)
    row_tiles = triton.cdiv(group, rows)
    width = tables.shape[1] * block_size
    parts = _parts(batch * kv_heads * row_tiles, width, tile, gpu_of(q).processors)
    out = q.new_empty(q.shape)
    partial = q.new_empty((batch * heads * parts, size) if parts > 1 else 0, dtype=torch.float32)
    logs = q.new_empty(batch * heads * parts, dtype=torch.float32)
    paged_decode_kernel[(row_tiles * kv_heads * parts * batch,)](
        q, keys_SKD, values_SKD, tables, lengths_B.contiguous(), out, partial, logs,
        q.stride(0), q.stride(1), *keys_SKD.stride()[:2], *values_SKD.stride()[:2],
        tables.stride(0), kv_heads, scale or size**-0.5,
        GROUP=group, SIZE=size, PARTS=parts, PAGE=block_size, ROWS=rows, TILE=tile, DIMS=dims,
        SOFTCAP=softcap, WIDE=is_wide, PRECISION=dot_precision(dtype),
        num_warps=4, num_stages=3, **overlap(q),
    )  # fmt: skip
    if parts > 1:
        join_parts_kernel[(batch * heads,)](
            partial, logs, out, SIZE=size, PARTS=parts, LOGS=triton.next_power_of_2(parts),
            DIMS=dims, TILE=min(16, triton.next_power_of_2(parts)), num_warps=2,
            **overlap(q),
        )  # fmt: skip
    return out


@launched(attention.paged_attention, _reads)
def paged_attention(
    q_NHD: Tensor, keys_SKD: Tensor, values_SKD: Tensor, slots_L: Tensor, positions_N: Tensor
) -> Tensor:
    q = _dense(q_NHD)
    tokens, heads, size = q.shape
    kv_heads = keys_SKD.shape[1]
    group, dims = heads // kv_heads, _dims(size)
    dtype, is_wide = _multiplied(q, keys_SKD, values_SKD)
    rows = min(_most_rows(dims, dtype), _dims(tokens * group))
    out = q.new_empty(q.shape)
    paged_attention_kernel[(kv_heads * triton.cdiv(tokens * group, rows),)](
        q, keys_SKD, values_SKD, slots_L.contiguous(), positions_N.contiguous(), out,
        q.stride(0), q.stride(1), *keys_SKD.stride()[:2], *values_SKD.stride()[:2],
        tokens, len(slots_L), kv_heads, size**-0.5,
        GROUP=group, SIZE=size, ROWS=rows, TILE=_tile(dims, dtype), DIMS=dims,
        SOFTCAP=0.0, WIDE=is_wide, PRECISION=dot_precision(dtype),
        num_warps=8 if rows * max(dims, 128) >= 2**14 else 4, num_stages=2,
    )  # fmt: skip
    return out


def _dense(x: Tensor) -> Tensor:
    """With neighbours beside each other in the last dimension."""
    return x if x.stride(-1) == 1 else x.contiguous()


def _multiplied(*tensors: Tensor) -> tuple[torch.dtype, bool]:
    """In which dtype, and whether some have to be converted to it."""
    dtypes = {tensor.dtype for tensor in tensors}
    return (torch.float32, True) if len(dtypes) > 1 else (dtypes.pop(), False)


def _dims(size: int) -> int:
    """What a dot can have of it."""
    return max(16, 1 << (size - 1).bit_length())


def _tile(dims: int, dtype: torch.dtype) -> int:
    """Tokens whose keys take 16 KiB: three stages of keys and values fit into any GPU's 99 KiB. In
    fp32, which is multiplied in registers, the fewest."""
    return 16 if dtype == torch.float32 else min(128, max(16, 2**13 // dims))


def _most_rows(dims: int, dtype: torch.dtype) -> int:
    """That are multiplied at once."""
    return 16 if dtype == torch.float32 else 128 if dims <= 128 else 64


def _parts(programs: int, width: int, tile: int, processors: int) -> int:
    """Of a sequence, where `programs` read pasts of at most `width` tokens."""
    wanted = triton.cdiv(_WAVES * processors, programs)
    most = triton.cdiv(width, max(tile, _LEAST_PART))
    return int(max(1, min(wanted, most, _MOST_PARTS)))
