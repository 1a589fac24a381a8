"""Arguments that do not fit together: an error that names op, argument, expected and found."""

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
    """Shape and device of `other`."""
    require(tensor.shape == other.shape, op, name, f"shape {list(other.shape)}", tensor)
    require_beside(op, name, tensor, other)


def require_last(op: str, name: str, vector: Tensor, x: Tensor) -> None:
    """One element for each in the last dimension of x."""
    require(x.ndim >= 1, op, "x", "at least one dimension", x)
    require_shape(op, name, vector, (x.shape[-1],))
    require_beside(op, name, vector, x)


def require_beside(op: str, name: str, tensor: Tensor, other: Tensor) -> None:
    require(tensor.device == other.device, op, name, f"a tensor on {other.device}", tensor.device)


def require_integers(op: str, name: str, tensor: Tensor) -> None:
    is_integer = tensor.dtype in (torch.int32, torch.int64)
    require(is_integer, op, name, "int32 or int64", tensor)


def outline(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)} on {tensor.device}"
