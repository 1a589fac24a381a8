"""Softmaxes of scores that are scaled and masked before, and of a router's choice behind."""

import math
from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.match import (
    argument,
    aten,
    is_call,
    is_last,
    is_number,
    operands,
    scaled,
    uncast,
    widened,
)
from raylm_kernels.fusion.rewrite import Emit, Found
from raylm_kernels.fusion.shapes import alike, fixed, same_shape, tensor

raylm = torch.ops.raylm
_SOFTMAXES = (aten.softmax.int, aten._softmax.default)


def masked_softmax(node: Any) -> Found | None:
    """softmax(scores * scale + mask); a mask that learns keeps its own addition."""
    if not is_call(node, *_SOFTMAXES) or not is_last(node, argument(node, "dim")):
        return None
    path: set[Node] = {node}
    last = _narrowed(node, path)
    inner = uncast(node.args[0], path)
    inner, mask, inverted = _masked(inner, path)
    source, scale = _scaled(inner, path)
    if not alike(source, last) or len(path) == 1:
        return None

    def build(emit: Emit) -> list[Node]:
        kept = emit(aten.logical_not.default, mask) if inverted else mask
        return [emit(raylm.masked_softmax.default, source, kept, scale, like=last)]

    pattern = "softmax chain"
    return Found(pattern, "masked_softmax", frozenset(path), (last,), build, (mask,))


def _narrowed(node: Any, path: set[Node]) -> Node:
    """The cast back to the scores' format, if that is all that is done with it."""
    after = next(iter(node.users), None)
    if len(node.users) == 1 and after is not None and uncast(after) is node:
        path.add(after)
        return after
    return node


def _masked(node: Any, path: set[Node]) -> tuple[Any, Any, bool]:
    if is_call(node, aten.add.Tensor) and argument(node, "alpha") == 1:
        for scores, mask in operands(node):
            added, whole = tensor(mask), tensor(node)
            if added is None or whole is None or not added.is_floating_point():
                continue
            kept = tensor(scores)
            if kept is None or not same_shape(kept.shape, whole.shape) or _is_score(mask):
                continue
            path.add(node)
            return uncast(scores, path), mask, False
    if (
        is_call(node, aten.masked_fill.Scalar)
        and node.args[2] == -math.inf
        and alike(*node_pair(node))
    ):
        path.add(node)
        return uncast(node.args[0], path), node.args[1], True
    return node, None, False


def node_pair(node: Any) -> tuple[Any, Any]:
    return node, node.args[0]


def _is_score(node: Any) -> bool:
    return is_call(scaled(uncast(node))[0], aten.matmul.default, aten.bmm.default)


def _scaled(node: Any, path: set[Node]) -> tuple[Any, float]:
    source, scale = scaled(node)
    if source is not node:
        path.add(node)
    return source, scale


def route(node: Any) -> Found | None:
    """The k likeliest experts of each token."""
    if not is_call(node, aten.topk.default) or not argument(node, "largest"):
        return None
    probabilities = uncast(node.args[0])
    if not is_call(probabilities, *_SOFTMAXES) or probabilities is not node.args[0]:
        return None
    logits, found = widened(probabilities.args[0]), tensor(probabilities)
    k, scores = argument(node, "k"), tensor(logits)
    if found is None or scores is None or found.ndim != 2 or not is_number(k):
        return None
    wide = torch.float64 if scores.dtype == torch.float64 else torch.float32
    if found.dtype != wide or not is_last(node.args[0], argument(node, "dim")):
        return None
    if not is_last(probabilities, argument(probabilities, "dim")) or fixed(found.shape[1]) is None:
        return None
    picks = {user.args[1]: user for user in node.users if user.target is getitem}
    if set(picks) != {0, 1} or len(node.users) != 2:
        return None
    covered = {node, probabilities, *picks.values()}
    weights = _renormalised(picks[0], covered)

    def build(emit: Emit) -> list[Node]:
        both = weights.meta["val"], picks[1].meta["val"]
        arguments = (logits, k, weights is not picks[0])
        made = emit(raylm.route_top_k.default, *arguments, like=both)
        return [emit(getitem, made, place, like=one) for place, one in enumerate(both)]

    replaced = (weights, picks[1])
    return Found("softmax + top_k", "route_top_k", frozenset(covered), replaced, build)


def _renormalised(weights: Any, covered: set[Node]) -> Node:
    """The weights over their sum, where nothing else is done with them."""
    users = list(weights.users)
    sums = [user for user in users if is_call(user, aten.sum.dim_IntList)]
    shares = [user for user in users if is_call(user, aten.div.Tensor)]
    if len(users) != 2 or len(sums) != 1 or len(shares) != 1:
        return weights
    total, share = sums[0], shares[0]
    if share.args[0] is not weights or share.args[1] is not total:
        return weights
    if not is_last(weights, argument(total, "dim")) or not argument(total, "keepdim"):
        return weights
    covered |= {total, share}
    return share
