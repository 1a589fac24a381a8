"""Optimizer steps over a flat shard; the norm and the clipping of a few layers' gradients."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu.row import Arguments, Draw, Row, Rows

PARAMETERS = 2**27
LAYERS, WIDTH, INNER, KV = 4, 4096, 14_336, 1024
_LAYER = (
    *((WIDTH, WIDTH), (KV, WIDTH), (KV, WIDTH), (WIDTH, WIDTH)),
    *((INNER, WIDTH), (INNER, WIDTH), (WIDTH, INNER), (WIDTH,), (WIDTH,)),
)
_GRADIENT_BYTES = 2 * LAYERS * (2 * WIDTH * (WIDTH + KV) + 3 * WIDTH * INNER + 2 * WIDTH)


def _flat(draw: Draw, gradient_dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    parameters, average = (draw.normal(PARAMETERS, dtype=torch.float32) for _ in range(2))
    return parameters, draw.normal(PARAMETERS, dtype=gradient_dtype), average


def _adamw(gradient_dtype: torch.dtype) -> Callable[[Draw], Arguments]:
    def arguments(draw: Draw) -> Arguments:
        square = draw.normal(PARAMETERS, dtype=torch.float32).square_()
        return *_flat(draw, gradient_dtype), square, 3, 1e-4, 0.9, 0.95, 1e-8, 0.1

    return arguments


def _lion(draw: Draw) -> Arguments:
    return *_flat(draw, torch.float32), 1e-4, 0.9, 0.99, 0.1


@cache
def _torch_adamw(size: int) -> torch.optim.Optimizer:
    parameter = torch.nn.Parameter(torch.zeros(size, device="cuda"))
    parameter.grad = torch.randn_like(parameter)
    return torch.optim.AdamW([parameter], lr=1e-4, weight_decay=0.1, fused=True)


def _torch_step(parameters: Tensor, *others: Any) -> None:
    _torch_adamw(parameters.numel()).step()


def _gradients(draw: Draw) -> list[Tensor]:
    return [draw.normal(*shape) for _ in range(LAYERS) for shape in _LAYER]


def _to_clip(draw: Draw) -> Arguments:
    return _gradients(draw), torch.tensor(4e9, device=draw.device), 2.0, 1e4


ROWS: Rows = (
    Row(
        "adamw_step",
        "2^27, all in fp32",
        _adamw(torch.float32),
        nbytes=28 * PARAMETERS,
        of_copy=0.88,
        rivals={"fused AdamW": _torch_step},
        times={"fused AdamW": 1.0},
    ),
    Row(
        "adamw_step",
        "2^27, gradients in bf16",
        _adamw(torch.bfloat16),
        nbytes=26 * PARAMETERS,
        of_copy=0.88,
    ),
    Row("lion_step", "2^27, all in fp32", _lion, nbytes=20 * PARAMETERS, of_copy=0.88),
    Row(
        "squared_norm",
        f"{LAYERS} layers of {WIDTH}",
        lambda draw: (_gradients(draw),),
        nbytes=_GRADIENT_BYTES,
        of_copy=0.88,
        rivals={"foreach_norm": lambda gradients: torch.nn.utils.get_total_norm(gradients)},
    ),
    Row(
        "unscale_and_clip",
        f"{LAYERS} layers of {WIDTH}",
        _to_clip,
        nbytes=2 * _GRADIENT_BYTES,
        of_copy=0.88,
        rivals={"foreach_mul": lambda gradients, *others: torch._foreach_mul_(gradients, 1.0)},
    ),
)
