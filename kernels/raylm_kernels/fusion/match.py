"""What patterns are told by: nodes of a graph, whichever way they are spelled."""

import math
from collections.abc import Collection, Sequence
from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.shapes import fixed, same_shape, tensor

aten = torch.ops.aten

CASTS = (
    aten.to.dtype,
    aten.to.device,
    aten.to.dtype_layout,
    aten.to.other,
    aten._to_copy.default,
    aten.type_as.default,
)
SHAPERS = (
    aten.view.default,
    aten.reshape.default,
    aten._unsafe_view.default,
    aten.flatten.using_ints,
    aten.unflatten.int,
)
SPLITS = (
    aten.chunk.default,
    aten.split.Tensor,
    aten.split.sizes,
    aten.split_with_sizes.default,
)
SPREADERS = (aten.unsqueeze.default, aten.expand.default, aten.expand_as.default)


def is_call(node: Any, *targets: Any) -> bool:
    return isinstance(node, Node) and node.op == "call_function" and node.target in targets


def argument(node: Any, name: str) -> Any:
    """Of an ATen operator, given by place, by name, or left at its default."""
    for place, one in enumerate(node.target._schema.arguments):
        if one.name == name:
            given = node.args[place] if place < len(node.args) else one.default_value
            return node.kwargs.get(name, given)
    raise KeyError(f"{node.target} has no argument {name}")


def operands(node: Any) -> list[tuple[Any, Any]]:
    """Of a commutative operator, in both orders."""
    a, b = node.args[0], node.args[1]
    return [(a, b), (b, a)]


def is_cast(node: Any) -> bool:
    return is_call(node, *CASTS)


def widened(node: Any) -> Any:
    """Before it was cast to a wider number format."""
    while is_cast(node):
        found, source = tensor(node), tensor(node.args[0])
        if found is None or source is None or not _is_wider(found.dtype, source.dtype):
            break
        node = node.args[0]
    return node


def uncast(node: Any, path: set[Node] | None = None) -> Any:
    """Before any casts between floating-point formats; `path` learns them."""
    while is_cast(node) and _is_floating(node) and _is_floating(node.args[0]):
        if path is not None:
            path.add(node)
        node = node.args[0]
    return node


def under(node: Any, targets: Collection[Any]) -> Any:
    """Below operators of one tensor."""
    while isinstance(node, Node) and node.op == "call_function" and node.target in targets:
        node = node.args[0]
    return node


def number(value: Any, *wanted: float, tolerance: float = 1e-4) -> bool:
    """Whether it is a plain number, near one of those."""
    return is_number(value) and any(math.isclose(value, one, rel_tol=tolerance) for one in wanted)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_vector(node: Any, size: Any = None) -> bool:
    found = tensor(node)
    return (
        found is not None and found.ndim == 1 and (size is None or same_shape(found.shape, (size,)))
    )


def is_last(node: Any, dims: Any) -> bool:
    """Whether `dims` names the last dimension of the node's tensor alone."""
    found = tensor(node)
    listed = list(dims) if isinstance(dims, Sequence) else [dims]
    return found is not None and listed in ([-1], [found.ndim - 1])


def scaled(node: Any) -> tuple[Any, float]:
    """A tensor, and the number it is multiplied or divided by."""
    if is_call(node, aten.mul.Tensor, aten.mul.Scalar):
        for one, other in operands(node):
            if is_number(other):
                return one, float(other)
    if is_call(node, aten.div.Tensor, aten.div.Scalar) and is_number(node.args[1]):
        return node.args[0], 1.0 / float(node.args[1])
    return node, 1.0


def part_of(node: Any) -> tuple[Any, int, int] | None:
    """The tensor whose last dimension this is a part of, and where the part begins and ends."""
    if is_call(node, aten.slice.Tensor):
        source = node.args[0]
        width = _width(source)
        if width is None or not is_last(source, argument(node, "dim")):
            return None
        start, end = argument(node, "start") or 0, argument(node, "end")
        if argument(node, "step") != 1 or not isinstance(start, int):
            return None
        stop = width if end is None else min(int(end), width) if isinstance(end, int) else None
        if stop is None:
            return None
        return source, start % width, stop % (width + 1)
    if isinstance(node, Node) and node.target is getitem:
        return _piece(node)
    return None


def _piece(node: Any) -> tuple[Any, int, int] | None:
    split, place = node.args
    if not is_call(split, *SPLITS):
        return None
    source = split.args[0]
    pieces = split.meta["val"]
    sizes: list[Any] = [fixed(one.shape[-1]) for one in pieces]
    if not is_last(source, argument(split, "dim")) or None in sizes:
        return None
    start = sum(sizes[:place])
    return source, start, start + sizes[place]


def _width(node: Any) -> int | None:
    found = tensor(node)
    return None if found is None or not found.ndim else fixed(found.shape[-1])


def _is_floating(node: Any) -> bool:
    found = tensor(node)
    return found is not None and found.is_floating_point()


def _is_wider(one: torch.dtype, other: torch.dtype) -> bool:
    return one.is_floating_point and other.is_floating_point and one.itemsize > other.itemsize
