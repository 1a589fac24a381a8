"""One matrix for queries, keys and values, two of which are turned."""

import itertools
from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from raylm_kernels.fusion.match import SHAPERS, argument, aten, is_call, part_of, under
from raylm_kernels.fusion.rewrite import Emit, Found
from raylm_kernels.fusion.shapes import fixed, tensor

raylm = torch.ops.raylm


def linear_rope(node: Any) -> Found | None:
    """Found at the later one of the two that are turned."""
    if not is_call(node, raylm.rope.default):
        return None
    here = part_of(under(node.args[0], SHAPERS))
    if here is None or not is_call(here[0], aten.linear.default):
        return None
    linear = here[0]
    parts = _parts(linear)
    if parts is None:
        return None
    (q, k, v), turned = parts, [_turned(one) for one in parts[:2]]
    if turned[0] is None or turned[1] is None or node is not max(turned):
        return None
    same_angles = [one.args[2:] for one in turned] == [node.args[2:]] * 2
    if not same_angles or not _same_tokens(turned[0].args[1], turned[1].args[1]):
        return None
    counts = [fixed(one.meta["val"].shape[1]) for one in turned]
    size = fixed(node.meta["val"].shape[2])
    found = tensor(v)
    if (
        None in (*counts, size)
        or found is None
        or fixed(found.shape[-1]) != (counts[1] or 0) * (size or 0)
    ):
        return None

    def build(emit: Emit) -> list[Node]:
        x, weight = linear.args[:2]
        rows = emit(aten.reshape.default, x, [-1, emit.sizes(x)[-1]])
        values = [one.meta["val"] for one in (*turned, turned[1])]
        first = turned[0]
        arguments = (rows, weight, argument(linear, "bias"), *first.args[1:3], *counts)
        made = emit(raylm.linear_rope.default, *arguments, *first.args[3:], like=tuple(values))
        both = [emit(getitem, made, place, like=one) for place, one in enumerate(values)]
        return [*both[:2], emit(aten.view.default, both[2], [*emit.sizes(x)[:-1], -1], like=v)]

    covered = {linear, q, k, v, *turned}
    covered |= {one.args[0] for one in (q, k, v) if one.target is getitem}
    for one in turned:
        inner: Any = one.args[0]
        while is_call(inner, *SHAPERS):
            covered.add(inner)
            inner = inner.args[0]
    replaced = (turned[0], turned[1], v)
    return Found("qkv + rope", "linear_rope", frozenset(covered), replaced, build)


def _parts(linear: Any) -> list[Node] | None:
    """Queries, keys and values, which are all there is of the matrix."""
    nodes = [
        part
        for user in linear.users
        for part in (user.users if part_of(user) is None else [user])
        if part_of(part) is not None
    ]
    found = sorted(nodes, key=lambda one: part_of(one)[1])  # type: ignore[index]
    ends = [part_of(one)[1:] for one in found]  # type: ignore[index]
    whole = tensor(linear)
    if len(found) != 3 or whole is None or ends[0][0] != 0:
        return None
    if any(one[1] != other[0] for one, other in itertools.pairwise(ends)):
        return None
    return found if ends[-1][1] == fixed(whole.shape[-1]) else None


def _turned(part: Any) -> Any:
    """The one use of it."""
    node = part
    while len(node.users) == 1:
        node = next(iter(node.users))
        if is_call(node, raylm.rope.default):
            return node
        if not is_call(node, *SHAPERS):
            return None
    return None


def _same_tokens(one: Any, other: Any) -> bool:
    """Whether two flat vectors of positions are made of the same ones."""
    return one is other or (
        is_call(one, *SHAPERS) and is_call(other, *SHAPERS) and _source(one) is _source(other)
    )


def _source(node: Any) -> Any:
    return under(node, (*SHAPERS, aten.expand.default))
