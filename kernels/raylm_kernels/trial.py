"""Implementations tried out on the arguments of a call: how long they take, and whether they are
right."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from raylm_kernels.comparison import fault
from raylm_kernels.entry import Entry
from raylm_kernels.implementation import REFERENCE, Implementation, first_tensor
from raylm_kernels.timing import best_seconds


def seconds(
    entry: Entry,
    able: Mapping[str, Implementation],
    args: Sequence[Any],
    disable: Callable[[Implementation, str], None],
) -> dict[str, float]:
    """Of all that are able, less those that fail, which are disabled. A reference for which there
    is no memory takes forever: what needs less may serve."""
    calls, hungry = {}, {}
    for name, one in able.items():
        call = partial(one.function, *(_cloned(args) if entry.mutates else args))
        try:
            call()  # which may compile
        except (torch.OutOfMemoryError, MemoryError):
            if name != REFERENCE:
                raise
            hungry[name] = float("inf")
        except Exception as error:
            if name == REFERENCE:
                raise
            disable(one, f"{type(error).__name__}: {error}")
        else:
            calls[name] = call
    return {**best_seconds(calls, first_tensor(args).device), **hungry}


def require_works(
    entry: Entry, chosen: Implementation, args: Sequence[Any], *, compares: bool
) -> None:
    """Raises what it raises on copies of the arguments, and ArithmeticError where `compares` and
    the reference has other results."""
    own, others = _cloned(args), _cloned(args)
    found = chosen.function(*own)
    if not compares:
        return
    wanted = entry.reference(*others)
    changed = [[of[place] for place in entry.mutates] for of in (own, others)]
    if wrong := fault(found, wanted) or fault(changed[0], changed[1]):
        raise ArithmeticError(wrong)


def _cloned(args: Sequence[Any]) -> list[Any]:
    return [_clone(arg) for arg in args]


def _clone(arg: Any) -> Any:
    if isinstance(arg, list | tuple):
        return [_clone(item) for item in arg]
    return arg.clone() if isinstance(arg, torch.Tensor) else arg
