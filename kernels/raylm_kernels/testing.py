"""Arguments for every op: what its implementations are checked and timed with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from raylm_kernels import catalog
from raylm_kernels.explanation import Explanation
from raylm_kernels.implementation import tensors_in
from raylm_kernels.reference.numbers import wide

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """Random tensors, the same for the same seed."""

    device: torch.device
    dtype: torch.dtype
    generator: torch.Generator

    def normal(self, *shape: int, scale: float = 1.0) -> Tensor:
        drawn = torch.randn(*shape, generator=self.generator) * scale
        return drawn.to(self.device, self.dtype)

    def integers(self, high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, generator=self.generator).to(self.device)

    def permutation(self, size: int) -> Tensor:
        return torch.randperm(size, generator=self.generator).to(self.device)


def reference(op: str) -> Callable[..., Any]:
    """An op in plain PyTorch, whatever serves it."""
    return catalog.registry.entry(op).reference


Cases = Callable[[Draw], Iterator[Arguments]]


def cases(
    op: str, device: str = "cpu", dtype: torch.dtype = torch.float32, seed: int = 0
) -> list[Arguments]:
    """Those of `NAME_backward` have random gradients for the results of the op's own: for all, and
    for the first alone. Raises KeyError where an op has none: every op needs some."""
    draw = Draw(torch.device(device), dtype, torch.Generator().manual_seed(seed))
    if (forward := op.removesuffix("_backward")) != op:
        return [
            (grads, *case)
            for case in CASES[forward](draw)
            for grads in _gradients(draw, forward, case)
        ]
    return list(CASES[op](draw))


def _gradients(draw: Draw, op: str, args: Arguments) -> Iterator[Sequence[Tensor | None]]:
    results = reference(op)(*args)
    results = results if isinstance(results, tuple) else (results,)
    drawn = [draw.normal(*result.shape).to(result.dtype) for result in results]
    yield drawn
    if len(drawn) > 1:
        yield [drawn[0], *[None] * (len(drawn) - 1)]


def widened(args: Sequence[Any]) -> Arguments:
    """The same numbers in fp64, for which the reference is an oracle."""
    return tuple(_widened(arg) for arg in args)


def _widened(arg: Any) -> Any:
    if isinstance(arg, list):
        return [_widened(item) for item in arg]
    is_real = isinstance(arg, Tensor) and arg.is_floating_point()
    return arg.double() if is_real and arg.dtype.itemsize > 1 else arg


def _rows(draw: Draw) -> Iterator[Tensor]:
    for shape in ((1, 32), (3, 96), (2, 5, 64), (7, 576), (0, 64), (4, 33)):
        yield draw.normal(*shape, scale=3.0)


def _grouped_rows(draw: Draw) -> Iterator[Tensor]:
    for shape in ((1, 32), (3, 96), (2, 5, 64), (0, 64)):
        x = draw.normal(*shape, scale=3.0)
        if x.numel() > 64:
            x[-1, ..., :32] = 0  # a group without a scale
        yield x


def _rms_norm(draw: Draw) -> Iterator[Arguments]:
    for x in _rows(draw):
        yield x, draw.normal(x.shape[-1]), 1e-5
    yield torch.zeros_like(draw.normal(2, 64)), draw.normal(64), 1e-5


def _add_rms_norm(draw: Draw) -> Iterator[Arguments]:
    for x in _rows(draw):
        yield x, draw.normal(*x.shape), draw.normal(x.shape[-1]), 1e-5


def _rms_norm_int8(draw: Draw) -> Iterator[Arguments]:
    for x in _grouped_rows(draw):
        yield x, draw.normal(x.shape[-1]), 1e-5


def _layer_norm(draw: Draw) -> Iterator[Arguments]:
    for x in _rows(draw):
        yield x, draw.normal(x.shape[-1]), draw.normal(x.shape[-1]), 1e-5
        yield x, draw.normal(x.shape[-1]), None, 1e-5


def _norm_linear(draw: Draw) -> Iterator[Arguments]:
    for activation in ("none", "relu", "silu", "gelu", "gelu_tanh"):
        x = draw.normal(3, 64)
        yield x, draw.normal(64), draw.normal(48, 64, scale=0.1), draw.normal(48), activation, 1e-5
    yield draw.normal(0, 32), draw.normal(32), draw.normal(8, 32), None, "silu", 1e-5


def _gated(draw: Draw) -> Iterator[Arguments]:
    for x in _rows(draw):
        yield x * 4, draw.normal(*x.shape)


def _rope(draw: Draw) -> Iterator[Arguments]:
    for tokens, heads, size in ((1, 1, 2), (6, 3, 20), (5, 2, 128), (0, 2, 64)):
        yield (
            draw.normal(tokens, heads, size),
            draw.integers(300, tokens),
            _frequencies(draw, size),
            1.2,
        )


def _rope_and_store(draw: Draw) -> Iterator[Arguments]:
    for tokens, heads, kv_heads, size in ((1, 2, 1, 32), (6, 4, 2, 64)):
        q, k = draw.normal(tokens, heads, size), draw.normal(tokens, kv_heads, size)
        caches = [draw.normal(16, kv_heads, size) for _ in "kv"]
        slots = draw.permutation(16)[:tokens]
        positions, inv_freq = draw.integers(300, tokens), _frequencies(draw, size)
        yield q, k, draw.normal(*k.shape), positions, inv_freq, *caches, slots, 1.0


def _quantize(draw: Draw) -> Iterator[Arguments]:
    for x in _grouped_rows(draw):
        yield (x,)


def _dequantize(high: int, dtype: torch.dtype, *, has_minima: bool) -> Cases:
    def draw_cases(draw: Draw) -> Iterator[Arguments]:
        for x in _grouped_rows(draw):
            codes = (draw.integers(high, *x.shape) - (0 if has_minima else high // 2)).to(dtype)
            shape = (*x.shape[:-1], x.shape[-1] // 32)
            yield (codes, *(draw.normal(*shape) for _ in range(2 if has_minima else 1)))

    return draw_cases


def _linear(draw: Draw) -> Iterator[Arguments]:
    for rows, outputs, inputs in ((1, 32, 32), (5, 96, 64), (12, 160, 576), (0, 32, 32)):
        x, shape = draw.normal(rows, inputs), (outputs, inputs // 32)
        scales = draw.normal(*shape, scale=0.1)
        for some in (scales, scales.half()):
            yield x, (draw.integers(255, outputs, inputs) - 127).to(torch.int8), some, None
        codes, minima = draw.integers(16, outputs, inputs).to(torch.uint8), draw.normal(*shape)
        yield x, codes, scales, minima
        yield x, codes, scales.half(), minima.half()


def _paged_attention(draw: Draw) -> Iterator[Arguments]:
    for tokens, length, heads, kv_heads, size in (
        (1, 17, 4, 1, 32),
        (5, 5, 2, 2, 64),
        (7, 40, 6, 2, 96),
    ):
        caches = [draw.normal(64, kv_heads, size) for _ in "kv"]
        slots = draw.permutation(64)[:length]
        positions = torch.arange(length - tokens, length, device=draw.device)
        yield draw.normal(tokens, heads, size), *caches, slots, positions
    yield (
        draw.normal(2, 2, 32),
        *(draw.normal(4, 1, 32) for _ in "kv"),
        draw.permutation(4)[:0],
        draw.integers(1, 2),
    )


def _attention(draw: Draw) -> Iterator[Arguments]:
    for queries, keys, heads, kv_heads, options in (
        (5, 5, 2, 2, (True, 0, 0.0, 0.0)),
        (7, 7, 4, 1, (False, 0, 0.0, 0.3)),
        (3, 9, 6, 2, (True, 0, 0.0, 0.0)),
        (9, 9, 4, 2, (True, 3, 5.0, 0.0)),
        (6, 2, 2, 1, (True, 0, 0.0, 0.0)),  # the first queries see nothing
        (4, 0, 2, 1, (True, 0, 0.0, 0.0)),
    ):
        k, v = (draw.normal(2, keys, kv_heads, 16) for _ in "kv")
        yield draw.normal(2, queries, heads, 16), k, v, None, *options
    starts = torch.tensor([0, 3, 3, 7], device=draw.device)
    k, v = (draw.normal(1, 9, 2, 16) for _ in "kv")
    yield draw.normal(1, 9, 4, 16), k, v, starts, True, 0, 0.0, 0.0


def _block_sparse_attention(draw: Draw) -> Iterator[Arguments]:
    for heads, shared, causal in ((4, True, True), (2, False, True), (2, False, False)):
        blocks = draw.integers(2, 1 if shared else heads, 3, 3).bool()
        blocks[:, 1] = False  # a row of which all blocks are masked
        k, v = (draw.normal(2, 10, heads // 2, 16) for _ in "kv")
        yield draw.normal(2, 10, heads, 16), k, v, blocks, 4, causal, 0.0
    for block_size, causal in ((32, True), (48, False), (160, True)):  # more than a tile of keys
        rows, columns = (-(-length // block_size) for length in (150, 200))
        k, v = (draw.normal(1, 200, 1, 32) for _ in "kv")
        blocks = draw.integers(3, 2, rows, columns) > 0
        yield draw.normal(1, 150, 2, 32), k, v, blocks, block_size, causal, 0.1


def _targets(draw: Draw, vocabulary: int, tokens: int) -> Tensor:
    targets = draw.integers(vocabulary, tokens)
    targets[1::3] = -100
    return targets


def _cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for tokens, vocabulary in ((1, 2), (7, 33), (4, 1000), (0, 5)):
        yield draw.normal(tokens, vocabulary, scale=4.0), _targets(draw, vocabulary, tokens)


def _linear_cross_entropy(draw: Draw) -> Iterator[Arguments]:
    for tokens, width, vocabulary in ((1, 4, 2), (7, 16, 33), (0, 8, 5)):
        weight = draw.normal(vocabulary, width, scale=0.5)
        yield draw.normal(tokens, width), weight, _targets(draw, vocabulary, tokens)


def _linear_cross_entropy_gradients(draw: Draw) -> Iterator[Arguments]:
    for hidden, *others in _linear_cross_entropy(draw):
        yield hidden, *others, draw.normal(len(hidden))


def _token_logprobs(draw: Draw) -> Iterator[Arguments]:
    for tokens, vocabulary in ((1, 2), (7, 33), (0, 5)):
        tokens_N = draw.integers(vocabulary, tokens)
        yield draw.normal(tokens, vocabulary, scale=2.0), tokens_N, 0.7


def _route_top_k(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k, renormalise in ((5, 8, 2, True), (3, 4, 4, False), (0, 4, 1, True)):
        yield draw.normal(tokens, experts, scale=2.0), k, renormalise


def _permute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, experts, k in ((6, 4, 2), (1, 8, 1), (0, 4, 2)):
        yield draw.normal(tokens, 16), draw.integers(experts, tokens, k), experts


def _unpermute_tokens(draw: Draw) -> Iterator[Arguments]:
    for tokens, k in ((6, 2), (1, 1), (0, 2)):
        places = draw.permutation(tokens * k)
        yield draw.normal(tokens * k, 16), places, draw.normal(tokens, k)


def _grouped_linear(draw: Draw) -> Iterator[Arguments]:
    for counts in ([3, 0, 2], [1], [0, 0]):
        weight = draw.normal(len(counts), 8, 16, scale=0.3)
        yield draw.normal(sum(counts), 16), weight, torch.tensor(counts, device=draw.device)


def _adamw_step(draw: Draw) -> Iterator[Arguments]:
    for size, step in ((1, 1), (100, 7), (0, 1)):
        parameters, gradients, average = (draw.normal(size) for _ in range(3))
        yield (parameters, gradients, average, draw.normal(size).square(), step, 0.1)


def _lion_step(draw: Draw) -> Iterator[Arguments]:
    for size in (1, 100, 0):
        yield (*(draw.normal(size) for _ in range(3)), 0.1)


def _squared_norm(draw: Draw) -> Iterator[Arguments]:
    yield ([draw.normal(3, 5), draw.normal(1), draw.normal(0)],)


def _unscale_and_clip(draw: Draw) -> Iterator[Arguments]:
    for max_norm in (0.5, 1e6):
        gradients = [draw.normal(3, 5), draw.normal(1), draw.normal(0)]
        norm = torch.stack([wide(g).square().sum() for g in gradients]).sum()
        yield gradients, norm, 4.0, max_norm


def _sample(draw: Draw) -> Iterator[Arguments]:
    uniform = (draw.integers(1000, 6) / 1000).to(draw.dtype)
    temperature = torch.tensor([0.0, 1.0, 0.5, 2.0, 1.0, 1.0], device=draw.device)
    top_k = torch.tensor([0, 3, 0, 1, 5, 0], device=draw.device)
    top_p = torch.tensor([1.0, 1.0, 0.8, 1.0, 0.5, 1.0], device=draw.device)
    min_p = torch.tensor([0.0, 0.0, 0.0, 0.0, 0.0, 0.2], device=draw.device)
    settings = (
        t.to(draw.dtype) if t.is_floating_point() else t for t in (temperature, top_k, top_p, min_p)
    )
    yield draw.normal(6, 50, scale=3.0), uniform, *settings


def _frequencies(draw: Draw, size: int) -> Tensor:
    exponents = torch.arange(0, size, 2, device=draw.device) / size
    return (10_000.0**-exponents).to(draw.dtype)


CASES: Mapping[str, Cases] = {
    "adamw_step": _adamw_step,
    "add_rms_norm": _add_rms_norm,
    "attention": _attention,
    "block_sparse_attention": _block_sparse_attention,
    "cross_entropy": _cross_entropy,
    "dequantize_fp8": _dequantize(16, torch.float8_e4m3fn, has_minima=False),
    "dequantize_int4": _dequantize(16, torch.uint8, has_minima=True),
    "dequantize_int8": _dequantize(255, torch.int8, has_minima=False),
    "geglu": _gated,
    "grouped_linear": _grouped_linear,
    "layer_norm": _layer_norm,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_cross_entropy_gradients": _linear_cross_entropy_gradients,
    "lion_step": _lion_step,
    "norm_linear": _norm_linear,
    "paged_attention": _paged_attention,
    "permute_tokens": _permute_tokens,
    "quantize_fp8": _quantize,
    "quantize_int4": _quantize,
    "quantize_int8": _quantize,
    "quantized_linear": _linear,
    "rms_norm": _rms_norm,
    "rms_norm_int8": _rms_norm_int8,
    "rope": _rope,
    "rope_and_store": _rope_and_store,
    "route_top_k": _route_top_k,
    "sample": _sample,
    "squared_norm": _squared_norm,
    "swiglu": _gated,
    "token_logprobs": _token_logprobs,
    "unpermute_tokens": _unpermute_tokens,
    "unscale_and_clip": _unscale_and_clip,
    "weight_only_linear": _linear,
}


def examples(device: str = "cpu") -> Iterator[Explanation]:
    """What serves the largest case of each op, and why."""
    for op in sorted(CASES):
        args = max(cases(op, device), key=lambda args: sum(t.numel() for t in tensors_in(args)))
        yield catalog.registry.explain(op, *args)
