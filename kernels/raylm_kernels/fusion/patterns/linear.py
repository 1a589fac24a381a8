"""Linear layers with what stands behind them: a gate, a residual, a loss."""

from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.match import (
    SHAPERS,
    argument,
    aten,
    is_call,
    operands,
    part_of,
    uncast,
)
from raylm_kernels.fusion.patterns.activation import ACTIVATIONS
from raylm_kernels.fusion.rewrite import Emit, Found
from raylm_kernels.fusion.shapes import alike, same, same_shape, tensor

raylm = torch.ops.raylm
_MEAN, _SUM = 1, 2


def gated_linear(node: Any) -> Found | None:
    """activation(x G^T) * (x U^T): two linear layers, or two halves of one."""
    for name, gate, activated, up in _gates(node):
        if is_call(gate, aten.linear.default) and is_call(up, aten.linear.default):
            found = _two_layers(node, name, gate, activated, up)
        else:
            found = _two_halves(node, name, gate, activated, up)
        if found is not None:
            return found
    return None


def gate(node: Any) -> Found | None:
    """silu(gate) * up, or by gelu's tanh approximation, wherever the two come from."""
    ops = {"silu": raylm.swiglu.default, "gelu_tanh": raylm.geglu.default}
    for name, inner, activated, up in _gates(node):
        if name not in ops or not alike(inner, up) or not alike(up, node):
            continue
        target, kept = ops[name], (inner, up)

        def build(emit: Emit, target: Any = target, kept: Any = kept) -> list[Node]:
            return [emit(target, *kept, like=node)]

        into = target.name().removeprefix("raylm::")
        return Found("gate + up", into, frozenset({node, activated}), (node,), build)
    return None


def _gates(node: Any) -> list[tuple[str, Any, Node, Any]]:
    """Activation, its argument, its node, and the other factor."""
    if not is_call(node, aten.mul.Tensor):
        return []
    told = [(*ACTIVATIONS.told(one), one, other) for one, other in operands(node)]
    return [one for one in told if one[0] != "none"]


def _two_layers(node: Any, name: str, gate: Any, activated: Any, up: Any) -> Found | None:
    if argument(gate, "bias") is not None or argument(up, "bias") is not None:
        return None
    if gate.args[0] is not up.args[0] or not alike(gate.args[1], up.args[1]):
        return None
    if not alike(gate, node):
        return None

    def build(emit: Emit) -> list[Node]:
        arguments = (gate.args[0], gate.args[1], up.args[1], name)
        return [emit(raylm.gated_linear.default, *arguments, like=node)]

    return Found(
        "gate + up + linear",
        "gated_linear",
        frozenset({node, activated, gate, up}),
        (node,),
        build,
    )


def _two_halves(node: Any, name: str, gate: Any, activated: Any, up: Any) -> Found | None:
    halves = part_of(gate), part_of(up)
    if halves[0] is None or halves[1] is None or halves[0][0] is not halves[1][0]:
        return None
    linear = halves[0][0]
    if not is_call(linear, aten.linear.default) or argument(linear, "bias") is not None:
        return None
    width = tensor(linear)
    rows = [(start, stop) for _, start, stop in (halves[0], halves[1])]
    size = rows[0][1] - rows[0][0]
    if width is None or sorted(rows) != [(0, size), (size, 2 * size)]:
        return None
    if not same(width.shape[-1], 2 * size) or not alike(gate, node):
        return None

    def build(emit: Emit) -> list[Node]:
        x, weight = linear.args[:2]
        parts = [emit(aten.slice.Tensor, weight, 0, start, stop) for start, stop in rows]
        return [emit(raylm.gated_linear.default, x, *parts, name, like=node)]

    covered = {node, activated, gate, up, linear}
    covered |= {one.args[0] for one in (gate, up) if one.target is not aten.slice.Tensor}
    return Found("gate + up + linear", "gated_linear", frozenset(covered), (node,), build)


def linear_add(node: Any) -> Found | None:
    """A residual that a linear layer's result is added to."""
    if not is_call(node, aten.add.Tensor) or argument(node, "alpha") != 1:
        return None
    for y, residual in operands(node):
        if not is_call(y, aten.linear.default) or len(y.users) != 1:
            continue
        if not alike(y, residual) or not alike(y, node):
            continue
        arguments = (*y.args[:2], argument(y, "bias"), residual)

        def build(emit: Emit, arguments: Any = arguments) -> list[Node]:
            return [emit(raylm.linear_add.default, *arguments, like=node)]

        return Found("linear + residual", "linear_add", frozenset({node, y}), (node,), build)
    return None


def linear_cross_entropy(node: Any) -> Found | None:
    """The mean or the sum of a head's losses, where nobody else needs its logits."""
    if not is_call(node, aten.cross_entropy_loss.default):
        return None
    logits, targets = node.args[0], node.args[1]
    reduction, labels = argument(node, "reduction"), tensor(targets)
    plain = argument(node, "weight") is None and argument(node, "label_smoothing") == 0.0
    if not plain or argument(node, "ignore_index") != -100 or reduction not in (_MEAN, _SUM):
        return None
    path: set[Node] = {node}
    linear, slices = _head(logits, path)
    if linear is None or labels is None or labels.ndim != 1 or labels.is_floating_point():
        return None
    path.add(linear)

    def build(emit: Emit) -> list[Node]:
        hidden, weight = linear.args[:2]
        for one in slices:
            hidden = emit(one.target, hidden, *one.args[1:])
        rows = emit(aten.reshape.default, hidden, [-1, emit.sizes(hidden)[-1]])
        losses = emit(raylm.linear_cross_entropy.default, rows, weight, targets, like=_losses(rows))
        total = emit(aten.sum.default, losses)
        if reduction == _MEAN:
            counted = emit(aten.sum.default, emit(aten.ne.Scalar, targets, -100))
            total = emit(aten.div.Tensor, total, counted)
        wanted = node.meta["val"].dtype
        return [total if total.meta["val"].dtype == wanted else emit(aten.to.dtype, total, wanted)]

    return Found("linear + cross_entropy", "linear_cross_entropy", frozenset(path), (node,), build)


def _head(logits: Any, path: set[Node]) -> tuple[Any, list[Node]]:
    """The linear layer without a bias that logits N x V come from, and which rows they are."""
    slices: list[Node] = []
    node, found = logits, tensor(logits)
    if found is None or found.ndim != 2:
        return None, []
    while True:
        node = uncast(node, path)
        inner = tensor(node.args[0]) if isinstance(node, Node) and node.args else None
        if is_call(node, *SHAPERS, aten.contiguous.default):
            if inner is None or not same_shape(inner.shape[-1:], found.shape[-1:]):
                return None, []
        elif is_call(node, aten.slice.Tensor):
            if inner is None or argument(node, "dim") in (-1, inner.ndim - 1):
                return None, []
            slices.insert(0, node)
        else:
            break
        path.add(node)
        node = node.args[0]
    is_head = is_call(node, aten.linear.default) and argument(node, "bias") is None
    return (node if is_head else None), slices


def _losses(rows: Any) -> torch.Tensor:
    hidden = rows.meta["val"]
    dtype = torch.float64 if hidden.dtype == torch.float64 else torch.float32
    return torch.ops.aten.new_empty.default(hidden, [hidden.shape[0]], dtype=dtype)
