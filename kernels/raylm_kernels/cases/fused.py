"""Linear layers with what stands before and after them."""

from collections.abc import Iterator, Mapping

import torch

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rope import frequencies

_ACTIVATIONS = ("none", "relu", "silu", "gelu", "gelu_tanh")


def _layer_norm_linear(draw: Draw) -> Iterator[Arguments]:
    for activation in _ACTIVATIONS:
        x, weight, bias = draw.normal(3, 64), draw.normal(48, 64, scale=0.1), draw.normal(48)
        yield x, draw.normal(64), draw.normal(64), weight, bias, activation, 1e-5
    yield draw.normal(2, 5, 33), draw.normal(33), None, draw.normal(70, 33), None, "none", 1e-5
    yield draw.normal(65, 40), draw.normal(40), None, draw.normal(16, 40), None, "none", 1e-5
    yield draw.normal(0, 32), draw.normal(32), None, draw.normal(8, 32), None, "silu", 1e-5


def _gated_linear(draw: Draw) -> Iterator[Arguments]:
    for activation in _ACTIVATIONS:
        gate, up = (draw.normal(48, 64, scale=0.2) for _ in range(2))
        yield draw.normal(3, 64), gate, up, activation
    yield draw.normal(2, 9, 33), draw.normal(70, 33), draw.normal(70, 33), "silu"
    gate, up = (draw.normal(72, 40, scale=0.2) for _ in range(2))
    yield draw.normal(130, 40), gate, up, "gelu_tanh"
    for tokens in (1, 17):
        apart = draw.normal(tokens, 2, 40)[:, 1]
        yield apart, draw.normal(17, 80)[:, ::2], draw.normal(34, 40)[::2], "silu"
    yield draw.normal(0, 32), draw.normal(8, 32), draw.normal(8, 32), "silu"


def _linear_add(draw: Draw) -> Iterator[Arguments]:
    for shape, outputs in (
        ((3, 64), 48),
        ((2, 9, 33), 70),
        ((1, 130), 17),
        ((130, 40), 136),
        ((0, 32), 8),
    ):
        x, weight = draw.normal(*shape), draw.normal(outputs, shape[-1], scale=0.2)
        residual = draw.normal(*shape[:-1], outputs)
        yield x, weight, draw.normal(outputs), residual
        yield x, weight, None, residual
    x, weight = draw.normal(2, 66), draw.normal(9, 66, scale=0.2)
    yield x, weight, None, draw.normal(2, 9).float()


def _linear_rope(draw: Draw) -> Iterator[Arguments]:
    for tokens, width, heads, kv_heads, size in (
        (3, 64, 4, 2, 16),
        (1, 40, 3, 1, 6),
        (17, 33, 2, 1, 20),
        (66, 40, 2, 2, 32),
        (0, 32, 1, 1, 8),
    ):
        weight = draw.normal((heads + 2 * kv_heads) * size, width, scale=0.2)
        bias = draw.normal(len(weight))
        x, positions = draw.normal(tokens, width), draw.integers(300, tokens)
        yield x, weight, bias, positions, frequencies(draw, size), heads, kv_heads, 1.2
        yield x, weight, None, positions, frequencies(draw, size), heads, kv_heads, 1.0


def _masked_softmax(draw: Draw) -> Iterator[Arguments]:
    yield draw.normal(2, 3, 5, 33, scale=3.0), None, 0.3
    yield draw.normal(2, 3, 5, 33, scale=3.0), draw.normal(2, 1, 5, 33), 0.3
    seen = torch.ones(5, 40, device=draw.device).tril(35).bool()
    yield draw.normal(2, 5, 40), seen, 1.0
    yield draw.normal(3, 2, 4, 1), draw.normal(3, 1, 1, 1), 1.0
    yield draw.normal(3, 2, 2, 5, 9), draw.normal(3, 1, 9, 1, 2).transpose(2, -1), -0.5
    yield draw.normal(2, 20_000, scale=3.0), draw.integers(5, 2, 1) > 0, 1.0
    yield (
        draw.normal(6, 2, 9).transpose(0, 1),
        torch.eye(6, 9, device=draw.device).bool()[:, :1],
        1.0,
    )
    yield draw.normal(0, 7), None, 1.0


CASES: Mapping[str, Cases] = {
    "gated_linear": _gated_linear,
    "layer_norm_linear": _layer_norm_linear,
    "linear_add": _linear_add,
    "linear_rope": _linear_rope,
    "masked_softmax": _masked_softmax,
}
