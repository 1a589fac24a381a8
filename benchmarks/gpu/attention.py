"""Attention, dense and over the blocks that are kept, as in a layer of Llama 3 8B."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels import catalog

HEADS, KV_HEADS, WIDTH = 32, 8, 128
LENGTH, BLOCK = 8192, 128  # of sequences of which some blocks are kept
SDPA = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def _heads(draw: Draw, batch: int, length: int) -> tuple[Tensor, Tensor, Tensor]:
    q = draw.normal(batch, length, HEADS, WIDTH)
    k, v = (draw.normal(batch, length, KV_HEADS, WIDTH) for _ in "kv")
    return q, k, v


def _attention(batch: int, length: int, causal: bool, draw: Draw) -> Arguments:
    return *_heads(draw, batch, length), None, causal


def _sdpa(backend: SDPBackend) -> Callable[..., Tensor]:
    def attend(
        q: Tensor, k: Tensor, v: Tensor, starts: None, causal: bool, *others: float
    ) -> Tensor:
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)

    return attend


def _flops(batch: int, length: int, causal: bool, products: int) -> int:
    return products * 2 * batch * HEADS * length**2 * WIDTH // (2 if causal else 1)


def _forward_row(batch: int, length: int, causal: bool) -> Row:
    return Row(
        "attention",
        f"{batch} x {length}, {'causal' if causal else 'full'}",
        partial(_attention, batch, length, causal),
        flops=_flops(batch, length, causal, 2),
        of_matmul=0.60,
        rivals={name: _sdpa(backend) for name, backend in SDPA.items()},
        times=dict.fromkeys(SDPA, 0.85),
        is_checked=length <= 4096,
    )


def _handed(draw: Draw, batch: int, length: int) -> tuple[list[Tensor | None], list[Tensor]]:
    """Gradients and results, as many as there are of the same sizes."""
    grad, out = (draw.normal(batch, length, HEADS, WIDTH) for _ in range(2))
    return [grad, None], [out, draw.normal(batch, HEADS, length, dtype=torch.float32) + 9.0]


def _backward_row(batch: int, length: int, causal: bool) -> Row:
    """5 products, though those of half the backward pass are made again."""

    def arguments(draw: Draw) -> Arguments:
        given = _attention(batch, length, causal, draw)
        return *_handed(draw, batch, length), *given, 0, 0.0, 0.0

    return Row(
        "attention_backward",
        f"{batch} x {length}, {'causal' if causal else 'full'}",
        arguments,
        flops=_flops(batch, length, causal, 5),
        of_matmul=0.45,
        is_checked=False,
    )


def _blocks(draw: Draw) -> Arguments:
    kept = draw.integers(8, HEADS, LENGTH // BLOCK, LENGTH // BLOCK) == 0
    return *_heads(draw, 1, LENGTH), kept, BLOCK, False, 0.0


def _blocks_and_grad(draw: Draw) -> Arguments:
    return *_handed(draw, 1, LENGTH), *_blocks(draw)


def _dense(q: Tensor, k: Tensor, v: Tensor, *others: object) -> Tensor:
    kernel = catalog.registry.entry("attention").implementations["triton"].function
    out: Tensor = kernel(q, k, v, None, False, 0, 0.0, 0.0)[0]
    return out


def _dense_backward(
    grads: Sequence[Tensor | None],
    results: Sequence[Tensor],
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *others: object,
) -> list[Tensor]:
    kernel = catalog.registry.entry("attention_backward").implementations["triton"].function
    found: list[Tensor] = kernel(grads, results, q, k, v, None, False, 0, 0.0, 0.0)
    return found


ROWS: Rows = (
    *(_forward_row(4, 4096, causal) for causal in (True, False)),
    *(_forward_row(1, 16_384, causal) for causal in (True, False)),
    *(_backward_row(4, 4096, causal) for causal in (True, False)),
    Row(
        "block_sparse_attention",
        f"1 x {LENGTH}, an eighth of blocks of {BLOCK}",
        _blocks,
        flops=_flops(1, LENGTH, False, 2) // 8,
        rivals={"dense": _dense},
        times={"dense": 1 / 0.18},
        is_checked=False,
    ),
    Row(
        "block_sparse_attention_backward",
        f"1 x {LENGTH}, an eighth of blocks of {BLOCK}",
        _blocks_and_grad,
        flops=_flops(1, LENGTH, False, 5) // 8,
        rivals={"dense": _dense_backward},
        is_checked=False,
    ),
)
