"""Rotary positions at the sizes of Llama 3 8B."""

import torch

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels.testing import reference

TOKENS, HEADS, KV_HEADS, SIZE, SLOTS = 32_768, 32, 8, 128, 131_072
_SHAPE = f"{TOKENS} x {HEADS} x {SIZE}"
_HEAD_BYTES = 2 * TOKENS * SIZE  # of one head in bf16


def _rope(draw: Draw) -> Arguments:
    return (
        draw.normal(TOKENS, HEADS, SIZE),
        draw.integers(8192, TOKENS),
        _frequencies(draw),
        1.0,
    )


def _with_grads(draw: Draw) -> Arguments:
    return [draw.normal(TOKENS, HEADS, SIZE)], *_rope(draw)


def _rope_and_store(draw: Draw) -> Arguments:
    q, positions, inv_freq, factor = _rope(draw)
    k, v = (draw.normal(TOKENS, KV_HEADS, SIZE) for _ in "kv")
    caches = [draw.normal(SLOTS, KV_HEADS, SIZE) for _ in "kv"]
    return q, k, v, positions, inv_freq, *caches, draw.permutation(SLOTS)[:TOKENS], factor


def _frequencies(draw: Draw) -> torch.Tensor:
    exponents = torch.arange(0, SIZE, 2, device=draw.device) / SIZE
    return torch.pow(500_000.0, -exponents)


ROWS: Rows = (
    Row(
        "rope",
        _SHAPE,
        _rope,
        nbytes=2 * HEADS * _HEAD_BYTES,
        of_copy=0.88,
        rivals={"eager": reference("rope")},
    ),
    Row("rope_backward", _SHAPE, _with_grads, nbytes=2 * HEADS * _HEAD_BYTES, of_copy=0.88),
    Row(
        "rope_and_store",
        f"{TOKENS} x {HEADS} + 2 x {KV_HEADS} x {SIZE}",
        _rope_and_store,
        nbytes=2 * (HEADS + 2 * KV_HEADS) * _HEAD_BYTES,
        of_copy=0.88,
        rivals={"eager": reference("rope_and_store")},
    ),
)
