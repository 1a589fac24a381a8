"""How the Triton kernels register, and what they have in common."""

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

import torch
import triton

from raylm_kernels.implementation import first_tensor
from raylm_kernels.registry import register

_Function = TypeVar("_Function", bound=Callable[..., Any])

REAL = (torch.float32, torch.bfloat16, torch.float16)
IS_INTERPRETED: bool = triton.knobs.runtime.interpret
"""Whether kernels run as Python on the CPU (TRITON_INTERPRET=1): then no bf16 may be computed in,
and nothing that only a GPU has may be asked for."""


def launched(
    op: str | Callable[..., Any],
    when: Callable[..., bool] | None = None,
    *,
    dtypes: Collection[torch.dtype] = REAL,
    capability: tuple[int, int] = (8, 0),
    name: str = "triton",
    priority: int = 1,
) -> Callable[[_Function], _Function]:
    """Registers a function that launches kernels as an implementation of `op`; the conditions are
    those of `Implementation`. It runs with its first tensor's device as the current one."""

    def decorate(function: _Function) -> _Function:
        @wraps(function)
        def on_its_device(*args: Any) -> Any:
            x = first_tensor(args)
            if not x.is_cuda:
                return function(*args)
            with torch.cuda.device(x.device):
                return function(*args)

        register(
            op,
            name=name,
            device="cuda",
            dtypes=dtypes,
            capability=capability,
            when=when,
            priority=priority,
        )(on_its_device)
        return function

    return decorate


def dot_precision(dtype: torch.dtype) -> str:
    """`input_precision` of `tl.dot`: TF32 only where the user lets torch use it."""
    is_rough = dtype == torch.float32 and torch.backends.cuda.matmul.allow_tf32
    return "tf32" if is_rough else "ieee"
