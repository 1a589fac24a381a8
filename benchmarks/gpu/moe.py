"""Mixture of experts: routing, the way to the experts and back, and their matrices."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

TOKENS, WIDTH, INNER = 32_768, 4096, 14_336
EXPERTS, CHOSEN = 8, 2
COUNTS = (7001, 1029, 4096, 2500, 6300, 3100, 5127, 3615)
"""Of TOKENS rows in all, as uneven as routers leave them."""
MANY, OF_MANY = 64, 8
_MOVED = 2 * WIDTH * (1 + CHOSEN) * TOKENS  # each token once, its rows once, in bf16
_FLOPS = 2 * TOKENS * WIDTH * INNER


def _logits(draw: Draw) -> Arguments:
    """No two of a token are equal, for then PyTorch leaves open which one comes first."""
    ranks = draw.normal(TOKENS, MANY).argsort(-1)
    return ((ranks - MANY / 2) / 8).to(torch.bfloat16), OF_MANY, True


def _weights_of(logits: Tensor, k: int, renormalise: bool) -> tuple[Tensor, Tensor]:
    weights, experts = logits.float().softmax(-1).topk(k, dim=-1)
    return weights / weights.sum(-1, keepdim=True), experts


def _tokens(draw: Draw) -> Arguments:
    return draw.normal(TOKENS, WIDTH), draw.integers(EXPERTS, TOKENS, CHOSEN), EXPERTS


def _rows(draw: Draw) -> Arguments:
    size = TOKENS * CHOSEN
    weights = draw.normal(TOKENS, CHOSEN, dtype=torch.float32)
    return draw.normal(size, WIDTH), draw.permutation(size), weights


def _grouped(draw: Draw) -> Arguments:
    weight = draw.normal(EXPERTS, INNER, WIDTH, scale=WIDTH**-0.5)
    return draw.normal(TOKENS, WIDTH), weight, torch.tensor(COUNTS, device=draw.device)


def _grouped_few(draw: Draw) -> Arguments:
    """What a batch of a decoder brings."""
    weight = draw.normal(EXPERTS, INNER, WIDTH, scale=WIDTH**-0.5)
    counts = torch.tensor([8, 3, 11, 6, 9, 12, 5, 10], device=draw.device)
    return draw.normal(64, WIDTH), weight, counts


def _loop(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """Told the counts: it need not wait for the GPU to read them."""
    return torch.cat([F.linear(x_, w) for x_, w in zip(x.split(COUNTS), weight, strict=True)])


def _loop_backward(grads: list[Tensor], x: Tensor, weight: Tensor, counts: Tensor) -> Any:
    shares = list(zip(grads[0].split(COUNTS), x.split(COUNTS), weight, strict=True))
    return torch.cat([g @ w for g, _, w in shares]), torch.stack([g.T @ x_ for g, x_, _ in shares])


def _torch_grouped(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    return torch._grouped_mm(x, weight.transpose(1, 2), offs=counts.cumsum(0).int())


_GROUPED: dict[str, Callable[..., Any]] = (
    {"torch._grouped_mm": _torch_grouped} if hasattr(torch, "_grouped_mm") else {}
)


ROWS: Rows = (
    Row(
        "route_top_k",
        f"{TOKENS} x {OF_MANY} of {MANY}",
        _logits,
        nbytes=TOKENS * (2 * MANY + 12 * OF_MANY),
        rivals={"eager": _weights_of},
        times={"eager": 1.0},
    ),
    Row(
        "permute_tokens",
        f"{TOKENS} x {WIDTH} to {CHOSEN} of {EXPERTS}",
        _tokens,
        nbytes=_MOVED,
        of_copy=0.80,
    ),
    Row(
        "unpermute_tokens",
        f"{TOKENS} x {WIDTH} from {CHOSEN}",
        _rows,
        nbytes=_MOVED,
        of_copy=0.80,
    ),
    Row(
        "grouped_linear",
        f"{TOKENS} x {WIDTH} x {INNER}, {EXPERTS}",
        _grouped,
        flops=_FLOPS,
        of_matmul=0.70,
        rivals={"loop": _loop, **_GROUPED},
        times={"loop": 1.0},
    ),
    Row(
        "grouped_linear",
        f"64 x {WIDTH} x {INNER}, {EXPERTS}",
        _grouped_few,
        nbytes=2 * (EXPERTS * WIDTH * INNER + 64 * (WIDTH + INNER)),
        rivals=_GROUPED,
    ),
    Row(
        "grouped_linear_backward",
        f"{TOKENS} x {WIDTH} x {INNER}, {EXPERTS}",
        lambda draw: ([draw.normal(TOKENS, INNER)], *_grouped(draw)),
        flops=2 * _FLOPS,
        of_matmul=0.70,
        rivals={"loop": _loop_backward},
    ),
    Row(
        "permute_tokens_backward",
        f"{TOKENS} x {WIDTH} to {CHOSEN} of {EXPERTS}",
        lambda draw: ([draw.normal(TOKENS * CHOSEN, WIDTH), None, None], *_tokens(draw)),
        nbytes=_MOVED,
        of_copy=0.80,
    ),
    Row(
        "unpermute_tokens_backward",
        f"{TOKENS} x {WIDTH} from {CHOSEN}",
        lambda draw: ([draw.normal(TOKENS, WIDTH)], *_rows(draw)),
        nbytes=2 * WIDTH * (1 + 2 * CHOSEN) * TOKENS,
        of_copy=0.80,
    ),
    Row(
        "route_top_k_backward",
        f"{TOKENS} x {OF_MANY} of {MANY}",
        lambda draw: (
            [draw.normal(TOKENS, OF_MANY, dtype=torch.float32), None],
            *_logits(draw),
        ),
        nbytes=TOKENS * (4 * MANY + 4 * OF_MANY),
    ),
)
