"""The gradients of attention by keys and values: a program has a tile of them and goes through the
queries that see them, of all heads that share them."""

import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.attention_call import AttentionCall, Lists, Tile, in_fp32
from raylm_kernels.triton.attention_range import clear_tile, edge_tile, is_seen, tiles_seen
from raylm_kernels.triton.attention_tile import bent, head_of, load_rows, store_rows, unbent
from raylm_kernels.triton.capacity import targets_hopper


@triton.jit
def keys_gradient_kernel(
    q_ptr, k_ptr, v_ptr, grad_ptr, logs_ptr, delta_ptr, grad_k_ptr, grad_v_ptr,
    begin_ptr, end_ptr, lists_ptr, counts_ptr, list_heads, longest,
    q_batch, q_row, q_head, k_batch, k_row, k_head, v_batch, v_row, v_head, out_batch, out_row,
    grad_batch, grad_row, heads, group, queries, keys, window, gain, bend, scale,
    WIDTH: tl.constexpr, CAUSAL: tl.constexpr, BLOCK_SIZE: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_D: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    tiles, kv_heads = tl.cdiv(keys, BLOCK_N), heads // group
    first = tl.program_id(0) % tiles * BLOCK_N
    b = tl.program_id(0) // tiles // kv_heads
    kv_head = tl.program_id(0) // tiles % kv_heads
    k_rows = head_of(k_ptr, b, kv_head, k_batch, k_head)
    v_rows = head_of(v_ptr, b, kv_head, v_batch, v_head)
    k = load_rows(k_rows, b, kv_head, first, keys, k_row, WIDTH, BLOCK_N, BLOCK_D, False)
    v = load_rows(v_rows, b, kv_head, first, keys, v_row, WIDTH, BLOCK_N, BLOCK_D, False)
    key = first + tl.arange(0, BLOCK_N)
    grad_k = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    grad_v = tl.zeros((BLOCK_N, BLOCK_D), tl.float32)
    for member in range(group):
        h = kv_head * group + member
        q_rows = head_of(q_ptr, b, h, q_batch, q_head)
        grad_rows = head_of(grad_ptr, b, h, out_batch, WIDTH)
        row = (b * heads + h).to(tl.int64) * queries
        start, clear_start, clear, edges, line = tiles_seen(
            first, h, begin_ptr, end_ptr, counts_ptr, list_heads, queries, keys, window,
            CAUSAL, BLOCK_SIZE, BLOCK_M, BLOCK_N, True,
        )  # fmt: skip
        list_ptr = lists_ptr
        if lists_ptr is not None:
            list_ptr += line * longest
        for i in range(edges):
            at = edge_tile(i, start, clear_start, clear, list_ptr, longest, BLOCK_SIZE, BLOCK_M)
            query = at + tl.arange(0, BLOCK_M)
            seen = is_seen(
                query[None, :], key[:, None], begin_ptr, end_ptr, queries, keys, window, CAUSAL
            )
            q = load_rows(q_rows, b, h, at, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, False)
            grad = load_rows(grad_rows, b, h, at, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, False)
            logs = tl.load(logs_ptr + row + query, query < queries, other=float("inf"))
            delta = tl.load(delta_ptr + row + query, query < queries, other=0.0)
            grad_k, grad_v = keys_step(
                grad_k, grad_v, k, v, q, grad, logs, delta, seen, gain, bend, PRECISION
            )
        for i in range(clear):
            at = clear_tile(i, clear_start, list_ptr, BLOCK_SIZE, BLOCK_M)
            query = at + tl.arange(0, BLOCK_M)
            q = load_rows(q_rows, b, h, at, queries, q_row, WIDTH, BLOCK_M, BLOCK_D, True)
            grad = load_rows(grad_rows, b, h, at, queries, out_row, WIDTH, BLOCK_M, BLOCK_D, True)
            logs = tl.load(logs_ptr + row + query)
            delta = tl.load(delta_ptr + row + query)
            grad_k, grad_v = keys_step(
                grad_k, grad_v, k, v, q, grad, logs, delta, None, gain, bend, PRECISION
            )
    k_rows = head_of(grad_k_ptr, b, kv_head, grad_batch, WIDTH)
    v_rows = head_of(grad_v_ptr, b, kv_head, grad_batch, WIDTH)
    store_rows(k_rows, grad_k * scale, first, keys, grad_row, WIDTH, BLOCK_N, BLOCK_D)
    store_rows(v_rows, grad_v, first, keys, grad_row, WIDTH, BLOCK_N, BLOCK_D)


@triton.jit
def keys_step(
    grad_k, grad_v, k, v, q, grad, logs, delta, seen, gain, bend, PRECISION: tl.constexpr
):
    """Adds what the keys get of a tile of queries, N x M here; `seen` is None where all are."""
    scores = bent(tl.dot(k, tl.trans(q), input_precision=PRECISION), bend)
    weights = tl.exp2(scores * gain - logs[None, :])
    if seen is not None:
        weights = tl.where(seen, weights, 0.0)
    grad_v = tl.dot(weights.to(grad.dtype), grad, grad_v, input_precision=PRECISION)
    grad_weights = tl.dot(v, tl.trans(grad), input_precision=PRECISION)
    grad_scores = unbent(weights * (grad_weights - delta[None, :]), scores, bend)
    grad_k = tl.dot(grad_scores.to(q.dtype), q, grad_k, input_precision=PRECISION)
    return grad_k, grad_v


def put_keys_gradients(
    call: AttentionCall,
    lists: Lists | None,
    grad: Tensor,
    logs: Tensor,
    delta: Tensor,
    grad_k: Tensor,
    grad_v: Tensor,
) -> None:
    tile = _tile(call).fitting(call, lists)
    keys_gradient_kernel[(triton.cdiv(call.keys, tile.n) * call.batch * call.kv_heads,)](
        **call.arguments(tile, lists, "qg", grad),
        logs_ptr=logs,
        delta_ptr=delta,
        grad_k_ptr=grad_k,
        grad_v_ptr=grad_v,
        grad_batch=grad_k.stride(0),
        grad_row=grad_k.stride(1),
        scale=call.scale,
    )


def _tile(call: AttentionCall) -> Tile:
    width = call.padded_width
    if call.q.dtype.itemsize > 2:
        return in_fp32(width)
    if targets_hopper():
        if width > 128:
            return Tile(32, 64, 8, 2)
        return Tile(32 if call.softcap else 64, 64, 4, 2)
    return Tile(32, 64, 4, 2) if width <= 128 else Tile(32, 32, 4, 1)
