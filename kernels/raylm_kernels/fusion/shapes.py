"""Sizes that may be symbols: compared without deciding anything about them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

Dim = int | str
Dims = tuple[Dim, ...]
"""Of a tensor: a number where the size is fixed, else the symbol's name, or `*` for anything."""


def dims_of(tensor: Tensor) -> Dims:
    return tuple(map(_dim, tensor.shape))


def bind_dims(shape: Sequence[int], dims: Dims | None, sizes: dict[Any, int]) -> bool:
    """Whether the shape fits; `sizes` holds what symbols stand for, and learns new ones."""
    if dims is None:
        return True
    for size, dim in zip(shape, dims, strict=True):
        wanted = (
            size if dim == "*" else dim if isinstance(dim, int) else sizes.setdefault(dim, size)
        )
        if size != wanted:
            return False
    return True


def _dim(size: Any) -> Dim:
    if isinstance(size, int):
        return size
    expression = size.node.expr
    if expression.is_number:
        return int(expression)
    return str(expression) if expression.is_symbol else "*"


def same(one: Any, other: Any) -> bool:
    """Whether two sizes are known to be equal."""
    return bool(_expression(one) == _expression(other))


def same_shape(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def is_one(size: Any) -> bool:
    return same(size, 1)


def fixed(size: Any) -> int | None:
    """The number, if it is one."""
    dim = _dim(size)
    return dim if isinstance(dim, int) else None


def value(node: Node) -> Any:
    """The fake result of a node; None where it has none."""
    return node.meta.get("val")


def tensor(node: Any) -> Tensor | None:
    found = value(node) if isinstance(node, Node) else None
    return found if isinstance(found, Tensor) else None


def alike(one: Any, other: Any) -> bool:
    """Both tensors, of one shape and dtype."""
    a, b = tensor(one), tensor(other)
    return a is not None and b is not None and a.dtype == b.dtype and same_shape(a.shape, b.shape)


def _expression(size: Any) -> Any:
    return size.node.expr if isinstance(size, torch.SymInt) else size
