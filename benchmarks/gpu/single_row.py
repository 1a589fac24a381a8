"""Linear layers of one row, with what stands around them in a decoder layer of Llama 3.1 70B."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

WIDTH, INNER, HEADS, KV_HEADS, SIZE = 8192, 28_672, 64, 8, 128
_QKV = (HEADS + 2 * KV_HEADS) * SIZE


def _gated(draw: Draw) -> Arguments:
    gate, up = (draw.normal(INNER, WIDTH, scale=0.02) for _ in range(2))
    return draw.normal(1, WIDTH), draw.normal(WIDTH), gate, up, "silu", 1e-5


def _eager(
    x: Tensor, norm: Tensor, gate: Tensor, up: Tensor, activation: str, eps: float
) -> Tensor:
    normed = F.rms_norm(x, norm.shape, norm, eps)
    return F.silu(F.linear(normed, gate)) * F.linear(normed, up)


def _queries(draw: Draw) -> Arguments:
    caches = [draw.normal(1024, KV_HEADS, SIZE) for _ in "kv"]
    weight, frequencies = draw.normal(_QKV, WIDTH, scale=0.02), draw.normal(SIZE // 2).float()
    positions, slots = (torch.full((1,), 500, device=draw.device) for _ in range(2))
    x, norm = draw.normal(1, WIDTH), draw.normal(WIDTH)
    return x, norm, weight, None, positions, frequencies, *caches, slots, 1.0, 1e-5


ROWS: Rows = (
    Row(
        "norm_gated_linear",
        f"1 x {WIDTH}, 2 x {INNER}",
        _gated,
        nbytes=2 * 2 * INNER * WIDTH,
        of_copy=0.85,
        rivals={"eager": _eager},
    ),
    Row(
        "norm_linear_rope_and_store",
        f"1 x {WIDTH}, heads {HEADS}/{KV_HEADS}, size {SIZE}",
        _queries,
        nbytes=2 * _QKV * WIDTH,
        rivals={"cublas": lambda x, norm, weight, *_: F.linear(x, weight)},
    ),
)
