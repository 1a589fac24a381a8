"""The beginnings of a decoder layer's halves."""

from collections.abc import Iterator, Mapping

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rope import frequencies


def _norm_gated_linear(draw: Draw) -> Iterator[Arguments]:
    for shape, inner in (((1, 64), 48), ((1, 33), 7), ((1, 2100), 5), ((3, 32), 9), ((0, 32), 8)):
        gate, up = (draw.normal(inner, shape[-1], scale=0.2) for _ in range(2))
        yield draw.normal(*shape, scale=3.0), draw.normal(shape[-1]), gate, up, "silu", 1e-5
    x, gate, up = draw.normal(1, 32), draw.normal(8, 32), draw.normal(8, 32)
    yield x, draw.normal(32), gate, up, "gelu_tanh", 1e-5


def _norm_linear_rope_and_store(draw: Draw) -> Iterator[Arguments]:
    for tokens, width, heads, kv_heads, size, factor in (
        (1, 64, 4, 2, 16, 1.2),
        (1, 33, 3, 1, 20, 1.0),
        (1, 2100, 1, 1, 2, 1.0),
        (5, 32, 2, 1, 8, 1.0),
    ):
        weight = draw.normal((heads + 2 * kv_heads) * size, width, scale=0.2)
        x, positions = draw.normal(tokens, width, scale=3.0), draw.integers(300, tokens)
        for bias in (draw.normal(len(weight)), None):
            caches = [draw.normal(16, kv_heads, size) for _ in "kv"]
            slots = draw.permutation(16)[:tokens]
            turn = positions, frequencies(draw, size)
            yield x, draw.normal(width), weight, bias, *turn, *caches, slots, factor, 1e-5


CASES: Mapping[str, Cases] = {
    "norm_gated_linear": _norm_gated_linear,
    "norm_linear_rope_and_store": _norm_linear_rope_and_store,
}
