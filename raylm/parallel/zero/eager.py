"""Code that torch.compile must leave alone: it moves memory and waits for other ranks."""

from collections.abc import Callable
from typing import TypeVar

import torch

_Function = TypeVar("_Function", bound=Callable[..., object])


def eager(function: _Function) -> _Function:
    disabled: _Function = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return disabled
