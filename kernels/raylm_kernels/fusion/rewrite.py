"""Parts of a graph, replaced by an operator that computes the same."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Node

from raylm_kernels.fusion.capture import Captured
from raylm_kernels.fusion.shapes import fixed, same


@dataclass(frozen=True)
class Found:
    """`covered`: nodes that go. `build` makes what takes the place of some of them, `replaced`.
    `constants`: what the new operator passes no gradients on to."""

    pattern: str
    into: str
    covered: frozenset[Node]
    replaced: tuple[Node, ...]
    build: Callable[["Emit"], Sequence[Node]]
    constants: tuple[Any, ...] = ()


Pattern = Callable[[Node], Found | None]


@dataclass(frozen=True)
class Rewrite:
    """Of the module at `path`."""

    pattern: str
    into: str
    path: str


class Emit:
    """Adds nodes before the one that is replaced."""

    def __init__(self, captured: Captured, before: Node) -> None:
        self._captured, self._before = captured, before
        self.made: list[Node] = []

    def __call__(self, target: Any, *args: Any, like: Any = None) -> Node:
        """`like`: a node or a fake tensor of the shape and dtype of the result."""
        graph = self._captured.graph
        with graph.inserting_before(self._before):
            node = graph.call_function(target, args)
        self.made.append(node)
        found = like.meta["val"] if isinstance(like, Node) else like
        node.meta["val"] = _result(target, args) if found is None else found
        stack = self._before.meta.get("nn_module_stack")
        if stack is not None:
            node.meta["nn_module_stack"] = stack
        gradients = self._captured.differentiable
        if not gradients.isdisjoint(node.all_input_nodes):
            gradients.add(node)
        return node

    def sizes(self, x: Node) -> list[Any]:
        """Numbers, and nodes for those that vary: of an input, where one has that size."""
        return [self._size(x, dim) for dim in range(x.meta["val"].ndim)]

    def _size(self, x: Node, dim: int) -> Any:
        size = x.meta["val"].shape[dim]
        known = fixed(size)
        if known is not None:
            return known
        for node in self._captured.graph.nodes:
            if node.op == "placeholder":
                for place, one in enumerate(node.meta["val"].shape):
                    if same(one, size):
                        return self(torch.ops.aten.sym_size.int, node, place)
        return self(torch.ops.aten.sym_size.int, x, dim)


def rewrite(
    captured: Captured, pattern: Pattern, without: Collection[str] = ()
) -> list[tuple[Rewrite, Node]]:
    """Everywhere the pattern is found, and nothing else depends on what would go. With each the
    node that was put in."""
    done = []
    for node in list(captured.graph.nodes):
        if node._erased or node.op != "call_function":
            continue
        found = pattern(node)
        if found is None or found.into in without or not _is_free(found, captured):
            continue
        path = path_of(node)
        for made in _replace(found, captured):
            if getattr(made.target, "_schema", None) and _name(made) == found.into:
                done.append((Rewrite(found.pattern, found.into, path), made))
    return done


def _name(node: Node) -> str:
    name: str = node.target._schema.name  # type: ignore[union-attr]
    return name.partition("::")[2]


def _is_free(found: Found, captured: Captured) -> bool:
    for node in found.covered:
        is_needed = any(user not in found.covered for user in node.users)
        if is_needed and node not in found.replaced:
            return False
    first, last = min(found.covered), max(found.covered)
    if any(mutates(node) and first < node < last for node in captured.graph.nodes):
        return False  # what is read at the last node might no longer be what was read before it
    if any(not found.covered.isdisjoint(node.users) for node in _overtaken(found, captured)):
        return False
    return not any(node in captured.differentiable for node in found.constants)


def _overtaken(found: Found, captured: Captured) -> list[Node]:
    """Nodes before the last covered one that need what is replaced."""
    first, last = min(found.covered), max(found.covered)
    known: dict[Node, None] = dict.fromkeys(found.replaced)
    for node in captured.graph.nodes:
        is_between = first < node < last and node not in found.covered
        if is_between and not known.keys().isdisjoint(node.all_input_nodes):
            known[node] = None
    return [node for node in known if node not in found.replaced]


def _replace(found: Found, captured: Captured) -> list[Node]:
    place = last = max(found.covered)
    for node in _overtaken(found, captured):
        place.append(node)
        place = node
    emit = Emit(captured, last)
    made = found.build(emit)
    for old, new in zip(found.replaced, made, strict=True):
        old.replace_all_uses_with(new)
    for node in sorted(found.covered, reverse=True):
        if not node.users:
            captured.graph.erase_node(node)
            captured.differentiable.discard(node)
    captured.inputs.constants |= _places(found.constants, captured)
    return emit.made


def _places(nodes: Sequence[Any], captured: Captured) -> set[int]:
    """Of the inputs that a gradient would have to flow to through these."""
    inputs = [node for node in captured.graph.nodes if node.op == "placeholder"]
    reached: set[Node] = set()
    rest = [node for node in nodes if isinstance(node, Node) and _is_floating(node)]
    while rest:
        node = rest.pop()
        if node not in reached:
            reached.add(node)
            rest += [one for one in node.all_input_nodes if _is_floating(one)]
    return {place for place, node in enumerate(inputs) if node in reached}


def share_integers(captured: Captured) -> None:
    """Sizes and positions that were made more than once."""
    known: dict[Any, Node] = {}
    for node in list(captured.graph.nodes):
        if node.op != "call_function" or mutates(node) or not _is_integer(node):
            continue
        key = node.target, repr(node.args), repr(node.kwargs)
        first = known.setdefault(key, node)
        if first is not node:
            node.replace_all_uses_with(first)
            captured.graph.erase_node(node)


def _is_integer(node: Node) -> bool:
    if node.target not in _SHARED:
        return False
    found = node.meta.get("val")
    return not isinstance(found, Tensor) or not found.is_floating_point()


_SHARED = (
    torch.ops.aten.sym_size.int,
    torch.ops.aten.expand.default,
    torch.ops.aten.reshape.default,
)


def mutates(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def path_of(node: Node) -> str:
    """The module that the node comes from, by its name in the whole."""
    stack: Mapping[str, tuple[str, Any]] = node.meta.get("nn_module_stack") or {}
    path = next((path for path, _ in reversed(list(stack.values()))), "")
    return path.removeprefix("body").removeprefix(".")


def _is_floating(node: Node) -> bool:
    found = node.meta.get("val")
    return not isinstance(found, Tensor) or found.is_floating_point()


def _result(target: Any, args: Sequence[Any]) -> Any:
    with torch.no_grad():
        return target(*torch.fx.node.map_arg(args, lambda n: n.meta["val"]))
