"""The gradient of attention by queries: a program has a tile of them and goes through the keys that
they see."""

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists, Tile, in_fp32
from raylm_kernels.triton.attention_range import clear_tile, edge_tile, is_seen, tiles_seen
from raylm_kernels.triton.attention_tile import (
    bent,
    head_of,
    load_rows,
    queries_of_program,
    store_rows,
    unbent,
)
from raylm_kernels.triton.capacity import targets_hopper


@triton.jit
def queries_gradient_kernel(
    q_ptr, k_ptr, v_ptr, grad_ptr, logs_ptr, delta_ptr, grad_q_ptr,
    begin_ptr, end_ptr, lists_ptr, counts_ptr, list_heads, longest,
    q_batch, q_row, q_head, k_batch, k_row, k_head, v_batch, v_row, v_head, out_batch, out_row,
    heads, group, queries, keys, window, gain, bend, scale,
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
    grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
    q = load_rows(q_rows, b, h, first, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
    grad = load_rows(grad_rows, b, h, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
    query = first + tl.arange(0, BLOCK_M)
    row = (b * heads + h).to(tl.int64) * queries + query
    logs = tl.load(logs_ptr + row, query < queries, other=0.0)
    delta = tl.load(delta_ptr + row, query < queries, other=0.0)
    grad_q = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for i in range(edges):
        at = edge_tile(i, start, clear_start, clear, lists_ptr, longest, BLOCK_SIZE, BLOCK_N)
        key = at + tl.arange(0, BLOCK_N)
        seen = is_seen(
            query[:, None], key[None, :], begin_ptr, end_ptr, queries, keys, window, CAUSAL
        )
        k = load_rows(k_rows, b, kv_head, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
        v = load_rows(v_rows, b, kv_head, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
        grad_q = queries_step(grad_q, q, grad, logs, delta, k, v, seen, gain, bend, PRECISION)
    for i in range(clear):
        at = clear_tile(i, clear_start, lists_ptr, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, kv_head, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, True)
        v = load_rows(v_rows, b, kv_head, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, True)
        grad_q = queries_step(grad_q, q, grad, logs, delta, k, v, None, gain, bend, PRECISION)
    out_rows = head_of(grad_q_ptr, b, h, out_batch, WIDTH)
    store_rows(out_rows, grad_q * scale, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D)


@triton.jit
def queries_step(grad_q, q, grad, logs, delta, k, v, seen, gain, bend, PRECISION: tl.constexpr):
    """Adds what the queries get of a tile of keys; `seen` is None where all are."""
    scores = bent(tl.dot(q, tl.trans(k), input_precision=PRECISION), bend)
    weights = tl.exp2(scores * gain - logs[:, None])
    if seen is not None:
        weights = tl.where(seen, weights, 0.0)
    grad_weights = tl.dot(grad, tl.trans(v), input_precision=PRECISION)
    grad_scores = unbent(weights * (grad_weights - delta[:, None]), scores, bend)
    return tl.dot(grad_scores.to(k.dtype), k, grad_q, input_precision=PRECISION)


def put_queries_gradient(
    call: AttentionCall,
    lists: Lists | None,
    grad: Tensor,
    logs: Tensor,
    delta: Tensor,
    grad_q: Tensor,
) -> None:
    tile = _tile(call).fitting(call, lists)
    queries_gradient_kernel[(triton.cdiv(call.queries, tile.m) * call.batch * call.heads,)](
        **call.arguments(tile, lists, "kv", grad),
        logs_ptr=logs,
        delta_ptr=delta,
        grad_q_ptr=grad_q,
        scale=call.scale,
    )


def _tile(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        return Tile(64, 64, 4, 2) if width <= 128 else Tile(64, 32, 4, 2)
    return Tile(64, 32, 4, 2) if width <= 128 else Tile(32, 32, 4, 1)
