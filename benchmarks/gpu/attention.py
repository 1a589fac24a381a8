"""Attention, dense and over the blocks that are kept, as in a layer of Llama 3 8B."""

from collections.abc import Callable
from functools import partial

from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

HEADS, KV_HEADS, WIDTH = 32, 8, 128
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
        is_checked=False,
    )


ROWS: Rows = (
    *(_forward_row(4, 4096, causal) for causal in (True, False)),
    *(_forward_row(1, 16_384, causal) for causal in (True, False)),
)
