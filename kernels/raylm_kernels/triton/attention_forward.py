"""Attention that holds no scores (Dao 2023, https://arxiv.org/abs/2307.08691): a program has a tile
of queries of one head and goes through the keys that they see."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists, Tile, in_fp32
from raylm_kernels.triton.attention_range import (
    clear_tile,
    edge_tile,
    is_seen,
    keys_seen,
    listed,
)
from raylm_kernels.triton.attention_tile import bent, head_of, load_rows, softmax_step, store_rows
from raylm_kernels.triton.capacity import targets_hopper


@triton.jit
def attention_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    out_ptr,
    sums_ptr,
    grad_ptr,
    grad_sums_ptr,
    delta_ptr,
    begin_ptr,
    end_ptr,
    lists_ptr,
    counts_ptr,
    list_heads,
    longest,
    q_batch,
    q_row,
    q_head,
    k_batch,
    k_row,
    k_head,
    v_batch,
    v_row,
    v_head,
    out_batch,
    out_row,
    heads,
    group,
    queries,
    keys,
    window,
    gain,
    bend,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Writes `out` and `sums`, or, where out's gradient is given, `sums` and `delta`."""
    tiles = tl.cdiv(queries, BLOCK_M)
    tile = tl.program_id(0) % tiles
    if CAUSAL:
        tile = tiles - 1 - tile  # those that see most begin first
    first = tile * BLOCK_M
    b = tl.program_id(0) // tiles // heads
    h = tl.program_id(0) // tiles % heads
    q_rows = head_of(q_ptr, b, h, q_batch, q_head)
    k_rows = head_of(k_ptr, b, h // group, k_batch, k_head)
    v_rows = head_of(v_ptr, b, h // group, v_batch, v_head)
    if lists_ptr is None:
        start, clear_start, clear, edges = keys_seen(
            first, begin_ptr, end_ptr, queries, keys, window, CAUSAL, BLOCK_M, BLOCK_N
        )
    else:
        line = h % list_heads * tl.cdiv(queries, BLOCK_SIZE) + first // BLOCK_SIZE
        start, clear_start, clear, edges = listed(counts_ptr + 2 * line, BLOCK_SIZE, BLOCK_N)
        lists_ptr += line * longest

    query = first + tl.arange(0, BLOCK_M)
    q = load_rows(q_rows, b, h, first, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
    top = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    acc = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for i in range(edges):
        at = edge_tile(i, start, clear_start, clear, lists_ptr, longest, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, h // group, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
        v = load_rows(v_rows, b, h // group, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
        scores = bent(tl.dot(q, tl.trans(k), input_precision=PRECISION), bend)
        key = at + tl.arange(0, BLOCK_N)
        seen = is_seen(
            query[:, None], key[None, :], begin_ptr, end_ptr, queries, keys, window, CAUSAL
        )
        scores = tl.where(seen, scores, float("-inf"))
        acc, top, total = softmax_step(acc, top, total, scores, gain, v, PRECISION, False)
    for i in range(clear):
        at = clear_tile(i, clear_start, lists_ptr, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, h // group, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, True)
        v = load_rows(v_rows, b, h // group, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, True)
        scores = bent(tl.dot(q, tl.trans(k), input_precision=PRECISION), bend)
        acc, top, total = softmax_step(acc, top, total, scores, gain, v, PRECISION, True)

    is_blind = total == 0.0
    total = tl.where(is_blind, 1.0, total)
    sums = top + tl.log2(total)
    acc = acc / total[:, None]
    inside = query < queries
    row = (b * heads + h).to(tl.int64) * queries + query
    if grad_ptr is None:
        out_rows = head_of(out_ptr, b, h, out_batch, WIDTH)
        store_rows(out_rows, acc, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D)
        sums = tl.where(is_blind, float("-inf"), sums * 0.6931471805599453)
    else:
        grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
        grad = load_rows(grad_rows, b, h, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
        delta = tl.sum(acc * grad.to(tl.float32), 1)
        if grad_sums_ptr is not None:
            delta -= tl.load(grad_sums_ptr + row, inside, other=0.0)
        tl.store(delta_ptr + row, delta, inside)
        sums = tl.where(is_blind, float("inf"), sums)
    tl.store(sums_ptr + row, sums, inside)


def forward(call: AttentionCall, lists: Lists | None = None) -> tuple[Tensor, Tensor]:
    """`out`, and the log-sum-exp of each row."""
    out = torch.empty_like(call.q, memory_format=torch.contiguous_format)
    sums = call.per_row()
    _launch(call, lists, None, out_ptr=out, sums_ptr=sums)
    return out, sums


def per_row(
    call: AttentionCall, lists: Lists | None, grad: Tensor, grad_sums: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What the gradients need of each row: its log-sum-exp to base 2, inf where it sees nothing,
    and the sum of out times its gradient, less the gradient of the log-sum-exp."""
    sums, delta = call.per_row(), call.per_row()
    _launch(call, lists, grad, sums_ptr=sums, grad_sums_ptr=grad_sums, delta_ptr=delta)
    return sums, delta


def _launch(
    call: AttentionCall, lists: Lists | None, grad: Tensor | None, **rows: Tensor | None
) -> None:
    tile = _tile(call).fitting(call, lists)
    given = dict.fromkeys(("out_ptr", "grad_sums_ptr", "delta_ptr")) | rows
    grid = (triton.cdiv(call.queries, tile.m) * call.batch * call.heads,)
    attention_kernel[grid](**call.arguments(tile, lists, grad, "kv"), **given)


def _tile(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        return Tile(128, 128, 8, 3) if width <= 128 else Tile(128, 64, 8, 2)
    return Tile(128, 64, 8, 2) if width <= 64 else Tile(128 if width <= 128 else 64, 32, 8, 2)
