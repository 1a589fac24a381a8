"""The gradients of attention, without sums that depend on who comes first: one kernel goes through
the queries of each tile of keys, another through the keys of each tile of queries."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import (
    AttentionCall,
    Lists,
    Tile,
    in_fp32,
    in_rows,
)
from raylm_kernels.triton.attention_forward import per_row
from raylm_kernels.triton.attention_range import (
    clear_tile,
    edge_tile,
    is_seen,
    keys_seen,
    listed,
    queries_seeing,
)
from raylm_kernels.triton.attention_tile import bent, head_of, load_rows, store_rows, unbent
from raylm_kernels.triton.capacity import targets_hopper


@triton.jit
def keys_gradient_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    grad_ptr,
    sums_ptr,
    delta_ptr,
    grad_k_ptr,
    grad_v_ptr,
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
    grad_batch,
    grad_row,
    heads,
    group,
    queries,
    keys,
    window,
    gain,
    bend,
    scale,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
):
    tiles = tl.cdiv(keys, BLOCK_N)
    first = tl.program_id(0) % tiles * BLOCK_N
    kv_heads = heads // group
    b = tl.program_id(0) // tiles // kv_heads
    kv_head = tl.program_id(0) // tiles % kv_heads
    k_rows = head_of(k_ptr, b, kv_head, k_batch, k_head)
    v_rows = head_of(v_ptr, b, kv_head, v_batch, v_head)
    k = load_rows(k_rows, b, kv_head, first, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
    v = load_rows(v_rows, b, kv_head, first, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
    key = first + tl.arange(0, BLOCK_N)
    start, clear_start, clear, edges = queries_seeing(
        first, begin_ptr, end_ptr, queries, keys, window, CAUSAL, BLOCK_M, BLOCK_N
    )
    list_ptr = lists_ptr
    grad_k = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    grad_v = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    for member in range(group):
        h = kv_head * group + member
        q_rows = head_of(q_ptr, b, h, q_batch, q_head)
        grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
        row = (b * heads + h).to(tl.int64) * queries
        if lists_ptr is not None:
            line = h % list_heads * tl.cdiv(keys, BLOCK_SIZE) + first // BLOCK_SIZE
            start, clear_start, clear, edges = listed(counts_ptr + 2 * line, BLOCK_SIZE, BLOCK_M)
            list_ptr = lists_ptr + line * longest
        for i in range(edges):
            at = edge_tile(i, start, clear_start, clear, list_ptr, longest, BLOCK_SIZE, BLOCK_M)
            query = at + tl.arange(0, BLOCK_M)
            seen = is_seen(
                query[None, :], key[:, None], begin_ptr, end_ptr, queries, keys, window, CAUSAL
            )
            q = load_rows(q_rows, b, h, at, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
            grad = load_rows(grad_rows, b, h, at, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
            sums = tl.load(sums_ptr + row + query, query < queries, other=float("inf"))
            delta = tl.load(delta_ptr + row + query, query < queries, other=0.0)
            grad_k, grad_v = keys_step(
                grad_k, grad_v, k, v, q, grad, sums, delta, seen, gain, bend, PRECISION
            )
        for i in range(clear):
            at = clear_tile(i, clear_start, list_ptr, BLOCK_SIZE, BLOCK_M)
            query = at + tl.arange(0, BLOCK_M)
            q = load_rows(q_rows, b, h, at, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, True)
            grad = load_rows(grad_rows, b, h, at, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, True)
            sums = tl.load(sums_ptr + row + query)
            delta = tl.load(delta_ptr + row + query)
            grad_k, grad_v = keys_step(
                grad_k, grad_v, k, v, q, grad, sums, delta, None, gain, bend, PRECISION
            )
    k_rows = head_of(grad_k_ptr, b, kv_head, grad_batch, WIDTH)
    v_rows = head_of(grad_v_ptr, b, kv_head, grad_batch, WIDTH)
    store_rows(k_rows, grad_k * scale, first, keys, grad_row, WIDTH, BLOCK_N, BLOCK_D)
    store_rows(v_rows, grad_v, first, keys, grad_row, WIDTH, BLOCK_N, BLOCK_D)


@triton.jit
def keys_step(
    grad_k, grad_v, k, v, q, grad, sums, delta, seen, gain, bend, PRECISION: tl.constexpr
):
    """Adds what the keys get of a tile of queries, N x M here; `seen` is None where all are."""
    scores = bent(tl.dot(k, tl.trans(q), input_precision=PRECISION), bend)
    weights = tl.exp2(scores * gain - sums[None, :])
    if seen is not None:
        weights = tl.where(seen, weights, 0.0)
    grad_v = tl.dot(weights.to(grad.dtype), grad, grad_v, input_precision=PRECISION)
    grad_weights = tl.dot(v, tl.trans(grad), input_precision=PRECISION)
    grad_scores = unbent(weights * (grad_weights - delta[None, :]), scores, bend)
    grad_k = tl.dot(grad_scores.to(q.dtype), q, grad_k, input_precision=PRECISION)
    return grad_k, grad_v


@triton.jit
def queries_gradient_kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    grad_ptr,
    sums_ptr,
    delta_ptr,
    grad_q_ptr,
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
    scale,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
):
    tiles = tl.cdiv(queries, BLOCK_M)
    tile = tl.program_id(0) % tiles
    if CAUSAL:
        tile = tiles - 1 - tile  # those that see most begin first
    first = tile * BLOCK_M
    b = tl.program_id(0) // tiles // heads
    h = tl.program_id(0) // tiles % heads
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

    q_rows = head_of(q_ptr, b, h, q_batch, q_head)
    grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
    q = load_rows(q_rows, b, h, first, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
    grad = load_rows(grad_rows, b, h, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
    query = first + tl.arange(0, BLOCK_M)
    row = (b * heads + h).to(tl.int64) * queries + query
    sums = tl.load(sums_ptr + row, query < queries, other=0.0)
    delta = tl.load(delta_ptr + row, query < queries, other=0.0)
    grad_q = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    for i in range(edges):
        at = edge_tile(i, start, clear_start, clear, lists_ptr, longest, BLOCK_SIZE, BLOCK_N)
        key = at + tl.arange(0, BLOCK_N)
        seen = is_seen(
            query[:, None], key[None, :], begin_ptr, end_ptr, queries, keys, window, CAUSAL
        )
        k = load_rows(k_rows, b, h // group, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
        v = load_rows(v_rows, b, h // group, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
        grad_q = queries_step(grad_q, q, grad, sums, delta, k, v, seen, gain, bend, PRECISION)
    for i in range(clear):
        at = clear_tile(i, clear_start, lists_ptr, BLOCK_SIZE, BLOCK_N)
        k = load_rows(k_rows, b, h // group, at, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, True)
        v = load_rows(v_rows, b, h // group, at, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, True)
        grad_q = queries_step(grad_q, q, grad, sums, delta, k, v, None, gain, bend, PRECISION)
    out_rows = head_of(grad_q_ptr, b, h, out_batch, WIDTH)
    store_rows(out_rows, grad_q * scale, first, queries, out_row, WIDTH, BLOCK_M, BLOCK_D)


@triton.jit
def queries_step(grad_q, q, grad, sums, delta, k, v, seen, gain, bend, PRECISION: tl.constexpr):
    """Adds what the queries get of a tile of keys; `seen` is None where all are."""
    scores = bent(tl.dot(q, tl.trans(k), input_precision=PRECISION), bend)
    weights = tl.exp2(scores * gain - sums[:, None])
    if seen is not None:
        weights = tl.where(seen, weights, 0.0)
    grad_weights = tl.dot(grad, tl.trans(v), input_precision=PRECISION)
    grad_scores = unbent(weights * (grad_weights - delta[:, None]), scores, bend)
    return tl.dot(grad_scores.to(k.dtype), k, grad_q, input_precision=PRECISION)


def backward(
    call: AttentionCall,
    grad: Tensor,
    grad_sums: Tensor | None = None,
    by_query: Lists | None = None,
    by_key: Lists | None = None,
) -> list[Tensor]:
    """The gradients of queries, keys and values, from those of out and of the log-sum-exp."""
    grad = in_rows(grad.contiguous())
    sums, delta = per_row(call, by_query, grad, grad_sums)
    found = [torch.empty_like(t, memory_format=torch.contiguous_format) for t in call.tensors]
    grad_q, grad_k, grad_v = found
    given = {"sums_ptr": sums, "delta_ptr": delta, "scale": call.scale}
    tile = _tile_of_queries(call).fitting(call, by_query)
    grid = (triton.cdiv(call.queries, tile.m) * call.batch * call.heads,)
    queries_gradient_kernel[grid](
        **call.arguments(tile, by_query, grad, "kv"), **given, grad_q_ptr=grad_q
    )
    tile = _tile_of_keys(call).fitting(call, by_key)
    grid = (triton.cdiv(call.keys, tile.n) * call.batch * call.kv_heads,)
    keys_gradient_kernel[grid](
        **call.arguments(tile, by_key, grad, "qg"),
        **given,
        grad_k_ptr=grad_k,
        grad_v_ptr=grad_v,
        grad_batch=grad_k.stride(0),
        grad_row=grad_k.stride(1),
    )
    return found


def _tile_of_queries(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        return Tile(64, 64, 4, 2) if width <= 128 else Tile(64, 32, 4, 2)
    return Tile(64, 32, 4, 2) if width <= 128 else Tile(32, 32, 4, 1)


def _tile_of_keys(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        if width > 128:
            return Tile(32, 64, 8, 2)
        return Tile(32 if call.softcap else 64, 64, 4, 2)
    return Tile(32, 64, 4, 2) if width <= 128 else Tile(32, 32, 4, 1)
