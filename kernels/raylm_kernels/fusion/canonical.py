"""A graph in fewer spellings, with the same results: what does nothing goes, linear layers are
`aten.linear`, squares are `aten.pow`, and few operators change what they are given."""

from collections.abc import Callable
from operator import getitem
from typing import Any

from torch.fx import Node

from raylm_kernels.fusion.capture import Captured
from raylm_kernels.fusion.match import (
    CASTS,
    SHAPERS,
    argument,
    aten,
    is_call,
    is_vector,
    number,
    operands,
)
from raylm_kernels.fusion.rewrite import Emit
from raylm_kernels.fusion.shapes import alike, same, same_shape, tensor

_IN_PLACE = {
    aten.add_.Tensor: aten.add.Tensor,
    aten.div_.Tensor: aten.div.Tensor,
    aten.mul_.Tensor: aten.mul.Tensor,
    aten.relu_.default: aten.relu.default,
    aten.silu_.default: aten.silu.default,
    aten.masked_fill_.Scalar: aten.masked_fill.Scalar,
}
_DROPOUTS = (aten.dropout.default, aten.dropout_.default, aten.feature_dropout.default)


def canonicalise(captured: Captured) -> None:
    for step in _STEPS:
        for node in list(captured.graph.nodes):
            if node.op == "call_function" and not node._erased:
                made = step(node, Emit(captured, node))
                if made is not None:
                    node.replace_all_uses_with(made)
                    captured.graph.erase_node(node)
        captured.graph.eliminate_dead_code()


def _without_effect(node: Any, _: Emit) -> Node | None:
    x: Any = node.args[0] if node.args else None
    if is_call(node, *_DROPOUTS):
        active = argument(node, "train") and argument(node, "p") != 0.0
        return None if active else x
    if is_call(node, *CASTS):
        kept, found = tensor(x), tensor(node)
        same_place = kept is not None and found is not None and kept.device == found.device
        copies = any(a.name == "copy" for a in node.target._schema.arguments) and argument(
            node, "copy"
        )
        return x if same_place and alike(x, node) and not copies else None
    if is_call(node, aten.mul.Tensor, aten.div.Tensor) and number(node.args[1], 1.0, tolerance=0):
        return x if alike(x, node) else None
    if is_call(node, *SHAPERS, aten.alias.default, aten.slice.Tensor) and alike(x, node):
        return x
    if is_call(node, aten.cat.default):
        return _only_part(node)
    return None


def _only_part(node: Any) -> Node | None:
    """Of a concatenation, where all others are empty."""
    dim = argument(node, "dim")
    full = [one for one in node.args[0] if not same(one.meta["val"].shape[dim], 0)]
    return full[0] if len(full) == 1 and alike(full[0], node) else None


def _out_of_place(node: Any, emit: Emit) -> Node | None:
    """Where nobody else sees what is changed."""
    if node.target not in _IN_PLACE:
        return None
    x = node.args[0]
    if not isinstance(x, Node) or not _is_fresh(x) or not alike(x, node):
        return None
    if any(user is not node and not user < node for user in x.users):
        return None
    return emit(_IN_PLACE[node.target], *node.args, like=node)


def _is_fresh(x: Any) -> bool:
    """Shares its memory with nothing that can be seen."""
    if x.op != "call_function":
        return False
    maker: Any = x.args[0] if x.target is getitem else x
    schema = getattr(maker.target, "_schema", None)
    return (
        schema is not None
        and all(one.alias_info is None for one in schema.returns)
        and (not is_call(maker, *CASTS, *SHAPERS, aten.contiguous.default))
        and not any(_may_share(user) for user in x.users)
    )


def _may_share(user: Any) -> bool:
    schema = getattr(user.target, "_schema", None)
    if schema is None or is_call(user, *CASTS, *SHAPERS, aten.contiguous.default):
        return True
    return any(a.alias_info is not None and not a.alias_info.is_write for a in schema.arguments)


def _merged_shapes(node: Any, emit: Emit) -> Node | None:
    x: Any = node.args[0] if node.args else None
    if is_call(node, aten.view.default, aten.reshape.default) and is_call(
        x, aten.view.default, aten.reshape.default
    ):
        source = x.args[0]
        if alike(source, node):
            return source
        return emit(aten.reshape.default, source, node.args[1], like=node)
    return None


def _transposed(node: Any, emit: Emit) -> Node | None:
    """Of a matrix: `aten.t`, and nothing twice."""
    found = tensor(node)
    if found is None or found.ndim != 2 or not is_call(node, *_TURNS):
        return None
    if node.target is aten.transpose.int and same(node.args[1], node.args[2]):
        return None
    if node.target is aten.permute.default and list(node.args[1]) not in ([1, 0], [-1, -2]):
        return None
    x = node.args[0]
    if is_call(x, aten.t.default):
        return x.args[0]
    return None if node.target is aten.t.default else emit(aten.t.default, x, like=node)


_TURNS = (aten.t.default, aten.transpose.int, aten.permute.default, aten.numpy_T.default)


def _products(node: Any, emit: Emit) -> Node | None:
    """x W (+ b) as a linear layer."""
    bias: Any = None
    if is_call(node, aten.addmm.default):
        bias, x, weight = node.args[:3]
        if argument(node, "beta") != 1 or argument(node, "alpha") != 1:
            return None
        if not is_vector(bias):
            return None
    elif is_call(node, aten.mm.default, aten.matmul.default):
        x, weight = node.args
    else:
        return None
    left, right = tensor(x), tensor(weight)
    if left is None or right is None or left.ndim < 2 or right.ndim != 2:
        return None
    turned = weight.args[0] if is_call(weight, aten.t.default) else emit(aten.t.default, weight)
    return emit(aten.linear.default, x, turned, bias, like=node)


def _biases(node: Any, emit: Emit) -> Node | None:
    if not is_call(node, aten.add.Tensor) or argument(node, "alpha") != 1:
        return None
    for y, bias in operands(node):
        if not is_call(y, aten.linear.default) or len(y.users) != 1 or not alike(y, node):
            continue
        found = tensor(node)
        if argument(y, "bias") is None and found is not None and is_vector(bias, found.shape[-1]):
            return emit(aten.linear.default, *y.args[:2], bias, like=node)
    return None


def _unflattened(node: Any, emit: Emit) -> Node | None:
    """A linear layer between a flattening and its reverse needs neither."""
    if not is_call(node, aten.view.default, aten.reshape.default):
        return None
    y = node.args[0]
    if not is_call(y, aten.linear.default) or len(y.users) != 1 or not is_call(y.args[0], *SHAPERS):
        return None
    found, source = tensor(node), tensor(y.args[0].args[0])
    weight = tensor(y.args[1])
    if found is None or source is None or weight is None or source.ndim < 2:
        return None
    fits = same_shape(found.shape, (*source.shape[:-1], weight.shape[0]))
    if not fits or not same(source.shape[-1], weight.shape[1]):
        return None
    return emit(aten.linear.default, y.args[0].args[0], *y.args[1:], like=node)


def _squares(node: Any, emit: Emit) -> Node | None:
    if is_call(node, aten.square.default) or (
        is_call(node, aten.mul.Tensor) and node.args[0] is node.args[1]
    ):
        return emit(aten.pow.Tensor_Scalar, node.args[0], 2, like=node)
    return None


_STEPS: tuple[Callable[[Node, Emit], Node | None], ...] = (
    _without_effect,
    _out_of_place,
    _transposed,
    _products,
    _unflattened,
    _biases,
    _merged_shapes,
    _without_effect,
    _squares,
)
