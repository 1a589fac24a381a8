"""Linear layers with what stands before and after them in a Llama block of 8B parameters, for one
token, a few and many; and the softmax of scores."""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.gpu.row import Arguments, Draw, Row, Rows
from raylm_kernels import registry
from raylm_kernels.reference import fused

WIDTH, INNER = 4096, 14_336
HEADS, KV_HEADS, SIZE = 32, 8, 128
QKV = (HEADS + 2 * KV_HEADS) * SIZE
TOKENS = 1, 16, 4096
BATCH, LENGTH = 4, 2048  # of the scores

_EAGER = {"eager": 1.0}


def _linear(draw: Draw, outputs: int, inputs: int) -> torch.Tensor:
    return draw.normal(outputs, inputs, scale=inputs**-0.5)


def _row(
    op: str,
    tokens: int,
    inputs: int,
    outputs: int,
    arguments: Callable[[Draw], Arguments],
    rivals: dict[str, Callable[..., Any]],
    times: dict[str, float],
    more: int = 0,
    implementation: str = "triton",
) -> Row:
    """`more`: bytes beside those of x, weights and results."""
    numbers = tokens * inputs + inputs * outputs + tokens * outputs
    return Row(
        op,
        f"{tokens} x {inputs} x {outputs}",
        arguments,
        nbytes=2 * numbers + more,
        flops=2 * tokens * inputs * outputs,
        rivals=rivals,
        times=times,
        implementation=implementation,
    )


def _for(tokens: int) -> str:
    """What serves so many."""
    return "triton_row" if tokens == 1 else "triton"


def _norm_linear(tokens: int) -> Row:
    return _row(
        "norm_linear",
        tokens,
        WIDTH,
        INNER,
        lambda draw: (
            draw.normal(tokens, WIDTH),
            draw.normal(WIDTH),
            _linear(draw, INNER, WIDTH),
            None,
            "silu",
            1e-6,
        ),
        {"bare linear": lambda x, norm, weight, *rest: F.linear(x, weight)},
        {"bare linear": 1 / 1.05},
        implementation=_for(tokens),
    )


def _layer_norm_linear(tokens: int) -> Row:
    return _row(
        "layer_norm_linear",
        tokens,
        WIDTH,
        INNER,
        lambda draw: (
            draw.normal(tokens, WIDTH),
            draw.normal(WIDTH),
            draw.normal(WIDTH),
            _linear(draw, INNER, WIDTH),
            draw.normal(INNER),
            "gelu_tanh",
            1e-5,
        ),
        {"eager": fused.layer_norm_linear.reference},
        _EAGER,
    )


def _gated_linear(tokens: int) -> Row:
    return _row(
        "gated_linear",
        tokens,
        WIDTH,
        2 * INNER,
        lambda draw: (
            draw.normal(tokens, WIDTH),
            _linear(draw, INNER, WIDTH),
            _linear(draw, INNER, WIDTH),
            "silu",
        ),
        {"eager": fused.gated_linear.reference},
        _EAGER,
        more=-2 * tokens * INNER,
    )


def _gated_linear_backward(tokens: int) -> Row:
    forward = _gated_linear(tokens)
    numbers = 2 * tokens * WIDTH + 4 * INNER * WIDTH + tokens * INNER
    return Row(
        "gated_linear_backward",
        forward.shape,
        lambda draw: ([draw.normal(tokens, INNER)], *forward.arguments(draw)),
        nbytes=2 * numbers,
        flops=3 * forward.flops,
        rivals={"eager": registry.entry("gated_linear_backward").reference},
        times=_EAGER,
    )


def _linear_add(tokens: int) -> Row:
    return _row(
        "linear_add",
        tokens,
        INNER,
        WIDTH,
        lambda draw: (
            draw.normal(tokens, INNER),
            _linear(draw, WIDTH, INNER),
            None,
            draw.normal(tokens, WIDTH),
        ),
        {"eager": fused.linear_add.reference},
        _EAGER,
        more=2 * tokens * WIDTH,
        implementation=_for(tokens),
    )


def _linear_rope(tokens: int) -> Row:
    return _row(
        "linear_rope",
        tokens,
        WIDTH,
        QKV,
        lambda draw: (
            draw.normal(tokens, WIDTH),
            _linear(draw, QKV, WIDTH),
            None,
            draw.integers(8192, tokens),
            500_000.0 ** -(torch.arange(0, SIZE, 2, device=draw.device) / SIZE),
            HEADS,
            KV_HEADS,
        ),
        {"eager": fused.linear_rope.reference},
        _EAGER,
    )


def _scores(draw: Draw) -> Arguments:
    seen = torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=draw.device).tril()
    return draw.normal(BATCH, HEADS, LENGTH, LENGTH), seen, SIZE**-0.5


def _scores_with_grads(draw: Draw) -> Arguments:
    return [draw.normal(BATCH, HEADS, LENGTH, LENGTH)], *_scores(draw)


def _masked_softmax(op: str, arguments: Callable[[Draw], Arguments], passes: int) -> Row:
    numbers = BATCH * HEADS * LENGTH * LENGTH
    shape = f"{BATCH} x {HEADS} x {LENGTH} x {LENGTH}"
    return Row(op, shape, arguments, nbytes=2 * passes * numbers, of_copy=0.85)


ROWS: Rows = (
    *map(_norm_linear, TOKENS),
    _layer_norm_linear(4096),
    *map(_gated_linear, TOKENS),
    _gated_linear_backward(4096),
    *map(_linear_add, TOKENS),
    *map(_linear_rope, TOKENS),
    _masked_softmax("masked_softmax", _scores, 2),
    _masked_softmax("masked_softmax_backward", _scores_with_grads, 3),
)
