"""RMS norms however they are spelled, with the sum before or the linear layer behind them."""

from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.match import (
    argument,
    aten,
    is_call,
    is_cast,
    is_last,
    is_number,
    is_vector,
    number,
    operands,
    uncast,
    widened,
)
from raylm_kernels.fusion.patterns.activation import ACTIVATIONS
from raylm_kernels.fusion.rewrite import Emit, Found
from raylm_kernels.fusion.shapes import alike, tensor

raylm = torch.ops.raylm


def rms_norm(node: Any) -> Found | None:
    """x / sqrt(mean(x^2) + eps) * weight, cast back before or after the weight."""
    if is_call(node, aten.rms_norm.default):
        return _whole(node)
    if not is_call(node, aten.mul.Tensor):
        return None
    for weight, normed in operands(node):
        path: set[Node] = {node}
        found = _normed(uncast(normed, path), path)
        width = tensor(node)
        if found is None or width is None or not is_vector(weight, width.shape[-1]):
            continue
        source, eps = found
        return _in_one_format(node, source, weight, eps, path)
    return None


def _whole(node: Any) -> Found | None:
    x, weight, eps = node.args[0], argument(node, "weight"), argument(node, "eps")
    found = tensor(x)
    if weight is None or found is None or len(argument(node, "normalized_shape")) != 1:
        return None
    if eps is None:
        eps = torch.finfo(found.dtype).eps
    return _in_one_format(node, x, weight, eps, {node})


def _in_one_format(
    node: Any, source: Any, weight: Any, eps: float, path: set[Node]
) -> Found | None:
    """The result has the format of x, which is that of a cast before or behind."""
    after: Any = next(iter(node.users), None)
    for x in (widened(source), source):
        for last in (node, after):
            if not alike(x, last) or (last is after and not is_cast(after)):
                continue
            if last is after and len(node.users) != 1:
                continue

            def build(emit: Emit, x: Any = x, last: Any = last) -> list[Node]:
                return [emit(raylm.rms_norm.default, x, weight, float(eps), like=last)]

            covered = frozenset({*path, last})
            return Found("rms_norm", "rms_norm", covered, (last,), build)
    return None


def _normed(node: Any, path: set[Node]) -> tuple[Any, float] | None:
    """x and eps of x * rsqrt(mean(x^2) + eps); `path` learns the nodes."""
    if is_call(node, aten.div.Tensor):
        pairs, root_of = [(node.args[0], node.args[1])], _root
    elif is_call(node, aten.mul.Tensor):
        pairs, root_of = operands(node), _inverse_root
    else:
        return None
    for x, factor in pairs:
        nodes: set[Node] = set()
        mean = root_of(uncast(factor, nodes), nodes)
        found = _mean_square(mean, nodes)
        if found is not None and widened(found[0]) is widened(x):
            path |= {node, *nodes}
            return x, found[1]
    return None


def _inverse_root(node: Any, path: set[Node]) -> Any:
    if is_call(node, aten.rsqrt.default):
        path.add(node)
        return node.args[0]
    if is_call(node, aten.pow.Tensor_Scalar) and number(node.args[1], -0.5):
        path.add(node)
        return node.args[0]
    if is_call(node, aten.reciprocal.default):
        path.add(node)
        return _root(node.args[0], path)
    return None


def _root(node: Any, path: set[Node]) -> Any:
    is_power = is_call(node, aten.pow.Tensor_Scalar) and number(node.args[1], 0.5)
    if is_power or is_call(node, aten.sqrt.default):
        path.add(node)
        return node.args[0]
    return None


def _mean_square(node: Any, path: set[Node]) -> tuple[Any, float] | None:
    if not is_call(node, aten.add.Tensor, aten.add.Scalar):
        return None
    path.add(node)
    for mean, eps in operands(node):
        mean = uncast(mean, path)
        if not is_number(eps) or not is_call(mean, aten.mean.dim):
            continue
        square = mean.args[0]
        if not is_call(square, aten.pow.Tensor_Scalar) or not number(square.args[1], 2):
            continue
        if is_last(square, argument(mean, "dim")) and argument(mean, "keepdim"):
            path |= {mean, square}
            return square.args[0], float(eps)
    return None


def add_rms_norm(node: Any) -> Found | None:
    """The norm of a sum, which also is the next residual."""
    if not is_call(node, raylm.rms_norm.default):
        return None
    total, weight, eps = node.args
    if not is_call(total, aten.add.Tensor) or argument(total, "alpha") != 1:
        return None
    x, residual = total.args[0], total.args[1]
    if not alike(x, residual) or not alike(x, total):
        return None

    def build(emit: Emit) -> list[Node]:
        both = [node.meta["val"], total.meta["val"]]
        made = emit(raylm.add_rms_norm.default, x, residual, weight, eps, like=tuple(both))
        return [emit(getitem, made, place, like=one) for place, one in enumerate(both)]

    covered = frozenset({node, total})
    return Found("add + rms_norm", "add_rms_norm", covered, (node, total), build)


def norm_linear(node: Any) -> Found | None:
    """A norm whose result goes to one linear layer alone, and an activation behind that."""
    activation, linear = ACTIVATIONS.told(node)
    if activation == "none" and any(
        ACTIVATIONS.told(user)[1] is linear for user in node.users if len(node.users) == 1
    ):
        return None  # left to the activation behind it
    if not is_call(linear, aten.linear.default):
        return None
    norm, weight, bias = linear.args[0], linear.args[1], argument(linear, "bias")
    shape = tensor(linear)
    if shape is None or not alike(node, linear):
        return None
    if is_call(norm, raylm.rms_norm.default):
        x, scale, eps = norm.args
        arguments: tuple[Any, ...] = (x, scale, weight, bias, activation, eps)
        target, name = raylm.norm_linear.default, "norm_linear"
    elif is_call(norm, aten.layer_norm.default):
        x, scale = norm.args[0], argument(norm, "weight")
        if scale is None or len(argument(norm, "normalized_shape")) != 1:
            return None
        shift, eps = argument(norm, "bias"), argument(norm, "eps")
        arguments = (x, scale, shift, weight, bias, activation, eps)
        target, name = raylm.layer_norm_linear.default, "layer_norm_linear"
    else:
        return None

    def build(emit: Emit) -> list[Node]:
        return [emit(target, *arguments, like=node)]

    pattern = "norm + linear" + ("" if activation == "none" else " + activation")
    return Found(pattern, name, frozenset({node, linear, norm}), (node,), build)
