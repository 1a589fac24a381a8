"""Rotary positions in the order of Llama, from the angles to the turned heads."""

from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.match import (
    SPREADERS,
    aten,
    is_call,
    is_cast,
    is_last,
    operands,
    part_of,
    scaled,
    uncast,
    under,
)
from raylm_kernels.fusion.rewrite import Emit, Found
from raylm_kernels.fusion.shapes import fixed, is_one, same, same_shape, tensor

raylm = torch.ops.raylm


@dataclass(frozen=True)
class Angles:
    """positions x inv_freq of a table of cosines or sines, which `factor` scales."""

    positions: Any
    inv_freq: Node
    factor: float


def rope(node: Any) -> Found | None:
    """x * cos + rotate_half(x) * sin, or the same by halves."""
    turned = _by_rotation(node) or _by_halves(node)
    if turned is None:
        return None
    x, cos, sin, covered = turned
    angles, other = _angles(cos, aten.cos.default), _angles(sin, aten.sin.default)
    heads = _heads_axis(x, cos)
    if angles is None or angles != other or heads is None:
        return None
    size, frequencies = tensor(x), tensor(angles.inv_freq)
    if size is None or frequencies is None:
        return None
    if not same(size.shape[-1], 2 * frequencies.shape[0]):
        return None

    def build(emit: Emit) -> list[Node]:
        return [_emitted(emit, x, node, angles, heads)]

    constants = (angles.positions, angles.inv_freq)
    return Found("rope", "rope", frozenset(covered), (node,), build, constants)


def _emitted(emit: Emit, x: Any, node: Any, angles: Angles, heads: int) -> Node:
    """Heads next to last, all tokens in one dimension, and back."""
    ndim = x.meta["val"].ndim
    swap = heads != ndim - 2
    tokens_first = emit(aten.transpose.int, x, heads, ndim - 2) if swap else x
    if swap and is_call(x, aten.transpose.int):
        dims = sorted(dim % ndim for dim in x.args[1:])
        if dims == sorted((heads, ndim - 2)):
            tokens_first = x.args[0]
    shape = emit.sizes(tokens_first)
    rows = emit(aten.reshape.default, tokens_first, [-1, *shape[-2:]])
    positions = _positions(emit, angles.positions, shape[:-2])
    made = emit(raylm.rope.default, rows, positions, angles.inv_freq, angles.factor, like=rows)
    whole = emit(aten.view.default, made, shape, like=tokens_first)
    return emit(aten.transpose.int, whole, heads, ndim - 2, like=node) if swap else whole


def _positions(emit: Emit, positions: Any, lead: list[Any]) -> Node:
    """One for each token, where all sequences may share theirs."""
    found = positions.meta["val"]
    if found.ndim == len(lead) == 1:
        return positions
    wanted = [one.meta["val"] if isinstance(one, Node) else one for one in lead]
    if found.ndim < len(lead) or not same_shape(found.shape, wanted):
        positions = emit(aten.expand.default, positions, lead)
    return emit(aten.reshape.default, positions, [-1])


def _by_rotation(node: Any) -> tuple[Any, Any, Any, set[Node]] | None:
    if not is_call(node, aten.add.Tensor):
        return None
    for straight, crossed in operands(node):
        if not is_call(straight, aten.mul.Tensor) or not is_call(crossed, aten.mul.Tensor):
            continue
        for half, sin in operands(crossed):
            path: set[Node] = set()
            x = _rotated_half(half, path)
            for one, cos in operands(straight):
                if x is not None and one is x:
                    return x, cos, sin, {node, straight, crossed, *path}
    return None


def _rotated_half(node: Any, path: set[Node]) -> Any:
    """x of cat(-x2, x1)."""
    if not is_call(node, aten.cat.default) or len(node.args[0]) != 2 or not _joins_last(node):
        return None
    minus, first = node.args[0]
    if not is_call(minus, aten.neg.default):
        return None
    x = _of_halves(first, minus.args[0])
    path |= {node, minus}
    return x


def _of_halves(first: Any, second: Any) -> Any:
    parts = part_of(first), part_of(second)
    if parts[0] is None or parts[1] is None or parts[0][0] is not parts[1][0]:
        return None
    (x, *one), (_, *other) = parts[0], parts[1]
    found = tensor(x)
    half = None if found is None else fixed(found.shape[-1])
    if half is None or half % 2 or (one, other) != ([0, half // 2], [half // 2, half]):
        return None
    return x


def _by_halves(node: Any) -> tuple[Any, Any, Any, set[Node]] | None:
    """cat(x1 cos - x2 sin, x2 cos + x1 sin)"""
    if not is_call(node, aten.cat.default) or len(node.args[0]) != 2 or not _joins_last(node):
        return None
    left, right = node.args[0]
    if not is_call(left, aten.sub.Tensor) or not is_call(right, aten.add.Tensor):
        return None
    products = [*left.args[:2], *right.args[:2]]
    if not all(is_call(one, aten.mul.Tensor) for one in products):
        return None
    for x1, cos in operands(left.args[0]):
        for x2, sin in operands(left.args[1]):
            x = _of_halves(x1, x2)
            sums = [{*one.args[:2]} for one in right.args[:2]]
            if x is not None and sums in ([{x2, cos}, {x1, sin}], [{x1, sin}, {x2, cos}]):
                return x, cos, sin, {node, left, right, *products}
    return None


def _joins_last(node: Any) -> bool:
    return is_last(node, node.args[1] if len(node.args) > 1 else 0)


def _angles(table: Any, curve: Any) -> Angles | None:
    node, factor = scaled(_bare(table))
    node = _bare(node)
    if not is_call(node, curve):
        return None
    angles = uncast(node.args[0])
    if is_call(angles, aten.cat.default):
        if len(angles.args[0]) != 2 or angles.args[0][0] is not angles.args[0][1]:
            return None
        angles = angles.args[0][0]
    product = _product(angles)
    if product is None:
        return None
    return Angles(*product, factor)


def _bare(node: Any) -> Any:
    """Before casts and repetitions."""
    while (inner := under(uncast(node), SPREADERS)) is not node:
        node = inner
    return node


def _product(angles: Any) -> tuple[Node, Node] | None:
    """Positions and frequencies of an outer product."""
    found = tensor(angles)
    node = uncast(angles)
    if is_call(node, aten.transpose.int):
        node = node.args[0]
    if is_call(node, aten.mul.Tensor, aten.matmul.default, aten.bmm.default, aten.outer.default):
        pairs = operands(node)
    elif is_call(node, aten.einsum.default) and node.args[0].replace(" ", "") == "i,j->ij":
        pairs = [tuple(node.args[1])]
    else:
        return None
    ndim = 0 if found is None else found.ndim - 1
    for one, other in pairs:
        positions, inv_freq = _whole_numbers(one, ndim), _spread_vector(other)
        if positions is not None and inv_freq is not None:
            return positions, inv_freq
    return None


def _whole_numbers(node: Any, ndim: int) -> Node | None:
    """Of so many dimensions, before they were cast and spread."""
    while isinstance(node, Node):
        found = tensor(node)
        if found is None or found.ndim < ndim:
            return None
        if found.dtype in (torch.int32, torch.int64) and found.ndim == ndim:
            return node
        if not is_cast(node) and not is_call(node, *SPREADERS):
            return None
        node = node.args[0]
    return None


def _spread_vector(node: Any) -> Node | None:
    """A vector that was cast, and repeated over other dimensions."""
    while isinstance(node, Node):
        found = tensor(node)
        if found is None or not found.is_floating_point():
            return None
        if found.ndim == 1:
            return node
        if not is_cast(node) and not is_call(node, *SPREADERS):
            return None
        node = node.args[0]
    return None


def _heads_axis(x: Any, cos: Any) -> int | None:
    """The dimension before the last that the table is shared over, where the others are tokens."""
    heads, table = tensor(x), tensor(cos)
    if heads is None or table is None or heads.ndim not in (3, 4) or table.ndim > heads.ndim:
        return None
    lead = [1] * (heads.ndim - table.ndim) + list(table.shape[:-1])
    shared = [
        dim
        for dim, (size, own) in enumerate(zip(lead, heads.shape[:-1], strict=True))
        if is_one(size) and fixed(own) is not None
    ]
    if not shared or fixed(heads.shape[-1]) is None:
        return None
    return shared[-1]
