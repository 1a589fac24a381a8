"""Activations, spelled out or by name."""

import math
from typing import Any

from torch.fx import Node

from raylm_kernels.fusion.match import argument, aten, is_call, number, operands, scaled
from raylm_kernels.fusion.rewrite import Emit, Found

_CUBIC = 0.044715
_TANH_SCALE = math.sqrt(2 / math.pi)


class _Activations:
    def told(self, node: Any) -> tuple[str, Any]:
        """The name that the ops know it by, and its argument; none and the node itself."""
        if is_call(node, aten.silu.default):
            return "silu", node.args[0]
        if is_call(node, aten.relu.default):
            return "relu", node.args[0]
        if is_call(node, aten.gelu.default):
            kind = argument(node, "approximate")
            return ("gelu_tanh" if kind == "tanh" else "gelu"), node.args[0]
        return "none", node


ACTIVATIONS = _Activations()


def spelled_out(node: Any) -> Found | None:
    """x sigmoid(x), and gelu by erf or by tanh."""
    if not is_call(node, aten.mul.Tensor):
        return None
    return _silu(node) or _gelu(node)


def _silu(node: Any) -> Found | None:
    for x, gate in operands(node):
        if is_call(gate, aten.sigmoid.default) and gate.args[0] is x:
            return _found(node, "silu", aten.silu.default, (x,), {node, gate})
    return None


def _gelu(node: Any) -> Found | None:
    """0.5 x (1 + f(x)), in any order of its factors."""
    factors, path = _factors(node)
    halves = [one for one in factors if number(one, 0.5)]
    rest = [one for one in factors if isinstance(one, Node)]
    if len(halves) != 1 or len(rest) != 2 or len(factors) != 3:
        return None
    for x, sum_ in (rest, rest[::-1]):
        if not is_call(sum_, aten.add.Tensor, aten.add.Scalar):
            continue
        for curve, one in operands(sum_):
            if not number(one, 1.0):
                continue
            nodes: set[Node] = {*path, sum_, curve}
            if is_call(curve, aten.tanh.default) and _is_tanh_argument(curve.args[0], x, nodes):
                return _found(node, "gelu", aten.gelu.default, (x,), nodes, approximate="tanh")
            if is_call(curve, aten.erf.default) and _is_erf_argument(curve.args[0], x, nodes):
                return _found(node, "gelu", aten.gelu.default, (x,), nodes)
    return None


def _factors(node: Any) -> tuple[list[Any], set[Node]]:
    """Of a product of products whose parts nobody else uses."""
    factors: list[Any] = []
    path: set[Node] = {node}
    for one in node.args[:2]:
        if is_call(one, aten.mul.Tensor, aten.mul.Scalar, aten.div.Tensor) and len(one.users) == 1:
            inner, factor = scaled(one)
            if factor != 1.0:
                factors += [inner, factor]
                path.add(one)
                continue
            if not is_call(one, aten.div.Tensor):
                factors += one.args[:2]
                path.add(one)
                continue
        factors.append(one)
    return factors, path


def _is_tanh_argument(node: Any, x: Any, path: set[Node]) -> bool:
    """sqrt(2 / pi) (x + 0.044715 x^3)"""
    inner, factor = scaled(node)
    if not number(factor, _TANH_SCALE) or not is_call(inner, aten.add.Tensor):
        return False
    for first, cubic in operands(inner):
        cube, weight = scaled(cubic)
        nodes: set[Node] = {node, inner, cubic}
        if first is x and number(weight, _CUBIC) and _is_cube(cube, x, nodes):
            path |= nodes
            return True
    return False


def _is_cube(node: Any, x: Any, path: set[Node]) -> bool:
    path.add(node)
    if is_call(node, aten.pow.Tensor_Scalar):
        return node.args[0] is x and number(node.args[1], 3)
    if not is_call(node, aten.mul.Tensor):
        return False
    for one, other in operands(node):
        if one is x and is_call(other, aten.pow.Tensor_Scalar):
            path.add(other)
            return other.args[0] is x and number(other.args[1], 2)
    return False


def _is_erf_argument(node: Any, x: Any, path: set[Node]) -> bool:
    inner, factor = scaled(node)
    path.add(node)
    return inner is x and number(factor, math.sqrt(0.5))


def _found(
    node: Any, into: str, target: Any, args: tuple[Any, ...], covered: set[Node], **kwargs: str
) -> Found:
    def build(emit: Emit) -> list[Node]:
        made = emit(target, *args, like=node)
        made.kwargs = dict(kwargs)
        return [made]

    return Found("activation", into, frozenset(covered), (node,), build)
