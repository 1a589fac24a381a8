"""Arguments that do not fit together: an error that names op, argument, expected and found."""

from collections.abc import Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor


class ArgumentError(ValueError):
    """An op cannot take an argument, whoever would compute it."""


def require(ok: Any, op: str, name: str, expected: str, found: object) -> None:
    if not ok:
        refuse(op, name, expected, found)


def refuse(op: str, name: str, expected: str, found: object) -> NoReturn:
    shown = outline(found) if isinstance(found, Tensor) else repr(found)
    raise ArgumentError(f"{op}: {name}: expected {expected}, found {shown}")


def require_floating(op: str, name: str, tensor: Tensor) -> None:
    require(tensor.is_floating_point(), op, name, "a floating-point tensor", tensor)


def require_shape(op: str, name: str, tensor: Tensor, shape: tuple[Any, ...]) -> None:
    require(tuple(tensor.shape) == shape, op, name, f"shape {list(shape)}", tensor)


def require_like(op: str, name: str, tensor: Tensor, other: Tensor) -> None:
    """The shape of `other`."""
    require_shape(op, name, tensor, tuple(other.shape))


def require_last(op: str, name: str, vector: Tensor, x: Tensor) -> None:
    """One element for each in the last dimension of x."""
    require(x.ndim >= 1, op, "x", "at least one dimension", x)
    require_shape(op, name, vector, (x.shape[-1],))


def require_one_device(op: str, names: Sequence[str], args: Sequence[Any]) -> None:
    """All tensors, also those in lists, are where the first one is; scalars may be anywhere."""
    device = None
    for name, arg in zip(names, args, strict=True):
        for tensor in arg if isinstance(arg, list | tuple) else (arg,):
            if not isinstance(tensor, Tensor) or tensor.ndim == 0:
                continue
            device = device or tensor.device
            require(tensor.device == device, op, name, f"a tensor on {device}", tensor)


def require_integers(op: str, name: str, tensor: Tensor) -> None:
    is_integer = tensor.dtype in (torch.int32, torch.int64)
    require(is_integer, op, name, "int32 or int64", tensor)


def outline(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)} on {tensor.device}"
