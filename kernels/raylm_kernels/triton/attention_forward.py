"""Attention that holds no scores (Dao 2023, https://arxiv.org/abs/2307.08691): a program has a tile
of queries of one head and goes through the keys that they see."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists, Tile, in_fp32
from raylm_kernels.triton.attention_range import clear_tile, edge_tile, is_seen, tiles_seen
from raylm_kernels.triton.attention_tile import (
    attend,
    head_of,
    load_rows,
    queries_of_program,
    store_rows,
)
from raylm_kernels.triton.capacity import targets_hopper


@triton.jit
def attention_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, sums_ptr, begin_ptr, end_ptr, lists_ptr, counts_ptr,
    list_heads, longest,
    q_batch, q_row, q_head, k_batch, k_row, k_head, v_batch, v_row, v_head, out_batch, out_row,
    heads, group, queries, keys, window, gain, bend,
    WIDTH: tl.constexpr, CAUSAL: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    first, b, h = queries_of_program(heads, queries, CAUSAL, BLOCK_M)
    kv_head = h // group
    start, clear_start, clear, edges, line = tiles_seen(
        first, h, begin_ptr, end_ptr, counts_ptr, list_heads, queries, keys, window,
        CAUSAL, BLOCK_SIZE, BLOCK_M, BLOCK_N, False,
    )  # fmt: skip
    if lists_ptr is not None:
        lists_ptr += line * longest
    k_rows = head_of(k_ptr, b, kv_head, k_batch, k_head)
    v_rows = head_of(v_ptr, b, kv_head, v_batch, v_head)
    q_rows = head_of(q_ptr, b, h, q_batch, q_head)
    q = load_rows(q_rows, b, h, first, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
    query = first + tl.arange(0, BLOCK_M)
    top = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    acc = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for i in range(edges):
        at = edge_tile(i, start, clear_start, clear, lists_ptr, longest, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, kv_head, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
        v = load_rows(v_rows, b, kv_head, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
        key = at + tl.arange(0, BLOCK_N)
        seen = is_seen(
            query[:, None], key[None, :], begin_ptr, end_ptr, queries, keys, window, CAUSAL
        )
        acc, top, total = attend(acc, top, total, q, k, v, seen, gain, bend, PRECISION)
    for i in range(clear):
        at = clear_tile(i, clear_start, lists_ptr, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, kv_head, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, True)
        v = load_rows(v_rows, b, kv_head, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, True)
        acc, top, total = attend(acc, top, total, q, k, v, None, gain, bend, PRECISION)

    is_blind = total == 0.0
    total = tl.where(is_blind, 1.0, total)
    out_rows = head_of(out_ptr, b, h, out_batch, WIDTH)
    store_rows(out_rows, acc / total[:, None], first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D)
    sums = tl.where(is_blind, float("-inf"), (top + tl.log2(total)) * 0.6931471805599453)
    row = (b * heads + h).to(tl.int64) * queries + query
    tl.store(sums_ptr + row, sums, query < queries)


def forward(call: AttentionCall, lists: Lists | None = None) -> tuple[Tensor, Tensor]:
    """`out`, and the log-sum-exp of each row."""
    out = torch.empty_like(call.q, memory_format=torch.contiguous_format)
    sums = call.per_row()
    tile = _tile(call).fitting(call, lists)
    programs = triton.cdiv(call.queries, tile.m) * call.batch * call.heads
    attention_kernel[(programs,)](**call.arguments(tile, lists, "kv"), out_ptr=out, sums_ptr=sums)
    return out, sums


def _tile(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        return Tile(128, 128, 8, 3) if width <= 128 else Tile(128, 64, 8, 2)
    return Tile(128, 64, 8, 2) if width <= 64 else Tile(128 if width <= 128 else 64, 32, 8, 2)
