"""The class of calls for which one choice of implementation holds, by size or exactly (pure)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def shape_class(args: Sequence[Any]) -> str:
    """Sizes and integers count by their power of two, flags and names as they are, real numbers
    not at all: `float32[8,1024]|float32[1024]|True`."""
    return "|".join(part for part in map(_part, args) if part)


def signature(args: Sequence[Any]) -> tuple[Any, ...]:
    """All of a call that a condition of an implementation may ask about."""
    return tuple(map(_exactly, args))


def bucket(size: int) -> int:
    """The power of two at or above a size; 0 and 1 stand for themselves."""
    return 1 << (size - 1).bit_length() if size > 1 else size


def _part(arg: Any) -> str:
    match arg:
        case Tensor():
            sizes = ",".join(str(bucket(size)) for size in arg.shape)
            layout = "" if arg.is_contiguous() else "*"
            return f"{str(arg.dtype).removeprefix('torch.')}[{sizes}]{layout}"
        case bool() | str() | None | torch.dtype():
            return str(arg)
        case int():
            return str(bucket(arg) if arg >= 0 else -bucket(-arg))
        case list() | tuple():
            return f"({','.join(map(_part, arg))})"
    return ""


def _exactly(arg: Any) -> Any:
    match arg:
        case Tensor():
            return arg.shape, arg.stride(), arg.dtype, arg.device
        case list() | tuple():
            return tuple(map(_exactly, arg))
        case float():
            return (arg > 0) - (arg < 0)
    return arg
