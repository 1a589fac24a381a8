"""Calls of every op: what its implementations are checked with, and what serves them here."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from raylm_kernels import catalog
from raylm_kernels.cases import CASES
from raylm_kernels.cases.draw import Arguments, Draw
from raylm_kernels.explanation import Explanation
from raylm_kernels.implementation import tensors_in


def reference(op: str) -> Callable[..., Any]:
    """An op in plain PyTorch, whatever serves it."""
    return catalog.registry.entry(op).reference


def cases(
    op: str, device: str = "cpu", dtype: torch.dtype = torch.float32, seed: int = 0
) -> list[Arguments]:
    """Those of `NAME_backward` have random gradients for the results of the op's own: for all, and
    for the first alone; those of every second case lie apart in memory. The results come next where
    the op keeps them. Raises KeyError where an op has none: every op needs some."""
    draw = Draw(torch.device(device), dtype, torch.Generator().manual_seed(seed))
    if (forward := op.removesuffix("_backward")) != op:
        return [
            (*handed, *case)
            for place, case in enumerate(CASES[forward](draw))
            for handed in _handed(draw, forward, case, step=1 + place % 2)
        ]
    return list(CASES[op](draw))


def _handed(
    draw: Draw, op: str, args: Arguments, step: int
) -> Iterator[Sequence[Sequence[Tensor | None]]]:
    """What comes before the arguments."""
    results = tensors_in((reference(op)(*args),))
    kept = [results] if catalog.registry.entry(op).keeps_results else []
    drawn = [draw.normal(*result.shape, step).to(result.dtype)[..., 0] for result in results]
    yield [drawn, *kept]
    if len(drawn) > 1:
        yield [[drawn[0], *[None] * (len(drawn) - 1)], *kept]


def widened(args: Sequence[Any]) -> Arguments:
    """The same numbers in fp64, for which the reference is an oracle."""
    return tuple(_widened(arg) for arg in args)


def _widened(arg: Any) -> Any:
    if isinstance(arg, list):
        return [_widened(item) for item in arg]
    is_real = isinstance(arg, Tensor) and arg.is_floating_point()
    return arg.double() if is_real and arg.dtype.itemsize > 1 else arg


def examples(device: str = "cpu") -> Iterator[Explanation]:
    """What serves the largest case of each op, and why."""
    for op in sorted(CASES):
        args = max(cases(op, device), key=lambda args: sum(t.numel() for t in tensors_in(args)))
        yield catalog.registry.explain(op, *args)
