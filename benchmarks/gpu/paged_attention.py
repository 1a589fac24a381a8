"""Attention over a paged cache. What is counted of a decode: the keys and values, read once."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

HEADS, KV_HEADS, SIZE, BLOCK_SIZE = 32, 8, 128, 16


def _caches(draw: Draw, slots: int) -> list[Tensor]:
    return [draw.normal(slots, KV_HEADS, SIZE) for _ in "kv"]


def _decode(batch: int, context: int) -> Row:
    def arguments(draw: Draw) -> Arguments:
        tables = draw.permutation(batch * context // BLOCK_SIZE).view(batch, -1).int()
        lengths = torch.full((batch,), context, dtype=torch.int32, device=draw.device)
        caches = _caches(draw, batch * context)
        return draw.normal(batch, HEADS, SIZE), *caches, tables, lengths, BLOCK_SIZE

    return Row(
        "paged_decode_attention",
        f"{batch} x {context}, heads {HEADS}/{KV_HEADS}, size {SIZE}",
        arguments,
        nbytes=2 * batch * context * KV_HEADS * SIZE * 2,
        of_copy=0.85,
        rivals={"gathered sdpa": _gathered},
    )


def _gathered(
    q: Tensor, keys: Tensor, values: Tensor, tables: Tensor, lengths: Tensor, size: int, *_: float
) -> Tensor:
    slots = (tables.long()[:, :, None] * size + torch.arange(size, device=q.device)).flatten(1)
    seen = (torch.arange(slots.shape[1], device=q.device) < lengths[:, None])[:, None, None]
    grouped = q.unflatten(1, (keys.shape[1], -1))
    k, v = (cache[slots].transpose(1, 2) for cache in (keys, values))
    return F.scaled_dot_product_attention(grouped, k, v, attn_mask=seen).flatten(1, 2)


def _prefill(draw: Draw) -> Arguments:
    slots = draw.permutation(8192)
    positions = torch.arange(8192 - 2048, 8192, device=draw.device)
    return draw.normal(2048, HEADS, SIZE), *_caches(draw, 8192), slots, positions


ROWS: Rows = (
    _decode(64, 4096),
    _decode(8, 32_768),
    Row(
        "paged_attention",
        f"2048 of 8192, heads {HEADS}/{KV_HEADS}, size {SIZE}",
        _prefill,
        flops=4 * HEADS * SIZE * (2048 * 6144 + 2048 * 2048 // 2),
    ),
)
