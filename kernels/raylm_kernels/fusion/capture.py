"""A module's forward as one flat graph of ATen operators, by `torch.export`."""

from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind
from torch.fx import Graph, GraphModule, Node
from torch.utils import _pytree as pytree

from raylm_kernels.fusion.inputs import Inputs

HOLDER = "_fusion"
"""The submodule for what the graph holds and the module does not."""


class CaptureError(Exception):
    """Why a module's forward is no one graph."""


@dataclass
class Captured:
    """`training`: the mode it is captured in. `held`: what stands in the graph under `HOLDER`.
    `differentiable`: nodes that a gradient may flow to."""

    graph: Graph
    inputs: Inputs
    out_spec: pytree.TreeSpec
    training: bool
    held: dict[str, Any] = field(default_factory=dict)
    differentiable: set[Node] = field(default_factory=set)
    device_type: str = "cpu"

    def __deepcopy__(self, memo: dict[int, Any]) -> "Captured":
        return self  # it does not change any more


def capture(module: nn.Module, inputs: Inputs) -> Captured:
    """Raises CaptureError where torch.export cannot, or results depend on what it changes."""
    exported = _export(module, inputs)
    kinds = {spec.kind for spec in exported.graph_signature.output_specs}
    if odd := kinds - {OutputKind.USER_OUTPUT}:
        raise CaptureError(f"its forward changes state ({', '.join(k.name for k in odd)})")
    if exported.call_spec.out_spec is None:
        raise CaptureError("its forward gives no result")
    captured = Captured(Graph(), inputs, exported.call_spec.out_spec, module.training)
    tensors = [*module.parameters(), *inputs.tensors]
    captured.device_type = tensors[0].device.type if tensors else "cpu"
    _Copy(exported, module, captured).run()
    return captured


def _export(module: nn.Module, inputs: Inputs) -> ExportedProgram:
    """Of the tensors alone; every size may vary, and export finds out which cannot. With gradients,
    so that parts that are to have none are told apart."""
    shapes = tuple(
        tuple(Dim.AUTO if size > 1 else Dim.STATIC for size in one.shape) for one in inputs.tensors
    )
    try:
        with torch.enable_grad(), redirect_stderr(StringIO()):  # it prints the graph if it fails
            return torch.export.export(
                _Body(module, inputs),
                tuple(inputs.tensors),
                dynamic_shapes={"tensors": shapes},
                strict=False,
            )
    except Exception as error:  # export fails in any way that the module's own code does
        raise CaptureError(f"torch.export: {_first_line(error)}") from error


class _Body(nn.Module):
    def __init__(self, module: nn.Module, inputs: Inputs) -> None:
        super().__init__()
        self.body, self._inputs = module, inputs
        self.training = module.training

    def forward(self, *tensors: Tensor) -> Any:
        args, kwargs = self._inputs.whole(tensors)
        return self.body(*args, **kwargs)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


class _Copy:
    """From the exported program to a graph that reads parameters from the module it runs in."""

    def __init__(self, exported: ExportedProgram, module: nn.Module, captured: Captured) -> None:
        self._exported, self._module, self._into = exported, module, captured
        self._graph = captured.graph

    def run(self) -> None:
        values = self._inputs()
        results = self._nodes(self._exported.graph_module, values)
        self._graph.output(tuple(results))

    def _inputs(self) -> dict[Node, Any]:
        specs = self._exported.graph_signature.input_specs
        places = [node for node in self._exported.graph.nodes if node.op == "placeholder"]
        found: dict[Node, Any] = {}
        learned = []
        for node, spec in zip(places, specs, strict=True):
            if spec.kind == InputKind.USER_INPUT:
                found[node] = self._graph.placeholder(node.name)
                learned.append(node.meta.get("val"))
            elif spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
                found[node] = self._graph.get_attr(spec.target.removeprefix("body."))
            elif spec.kind == InputKind.CONSTANT_TENSOR:
                found[node] = self._hold(spec.target, self._exported.constants[spec.target])
            else:
                raise CaptureError(f"its forward takes an input of kind {spec.kind.name}")
            found[node].meta.update(node.meta)
        self._into.inputs.learn(learned)
        self._mark(found)
        return found

    def _mark(self, found: Mapping[Node, Node]) -> None:
        places = [node for node in found.values() if node.op == "placeholder"]
        for node, leaf in zip(places, self._into.inputs.tensors, strict=True):
            if leaf.requires_grad:
                self._into.differentiable.add(node)
        parameters = dict(self._module.named_parameters(remove_duplicate=False))
        for node in found.values():
            parameter = parameters.get(str(node.target)) if node.op == "get_attr" else None
            if parameter is not None and parameter.requires_grad:
                self._into.differentiable.add(node)

    def _hold(self, name: str, what: Any) -> Node:
        name = f"{name.replace('.', '_')}_{'train' if self._into.training else 'eval'}"
        self._into.held[name] = what
        return self._graph.get_attr(f"{HOLDER}.{name}")

    def _nodes(self, source: GraphModule, values: dict[Node, Any]) -> list[Any]:
        for node in source.graph.nodes:
            if node.op == "placeholder":
                continue
            if node.op == "output":
                return list(pytree.tree_map(lambda n: values.get(n, n), _result(node)))
            values[node] = self._one(source, node, values)
        raise CaptureError("its graph has no output")

    def _one(self, source: GraphModule, node: Node, values: dict[Node, Any]) -> Any:
        if node.op == "get_attr":
            held = getattr(source, str(node.target))
            if isinstance(held, GraphModule):
                return held  # until it is known whether it can be inlined
            return self._hold(str(node.target), held)
        if _is_assertion(node):
            return None
        name = str(node.target)
        args: list[Any] = list(node.args)
        if name in _REGIONS:
            skip = _REGIONS[name]
            inner = values[args[skip]]
            outer = [values[a] if isinstance(a, Node) else a for a in args[skip + 1 :]]
            if self._may_inline(name, args, outer):
                places = [n for n in inner.graph.nodes if n.op == "placeholder"]
                return self._nodes(inner, dict(zip(places, outer, strict=True)))
            values[args[skip]] = self._hold(f"{inner.__class__.__name__}_{node.name}", inner)
        if name == "<built-in function getitem>" and isinstance(values.get(args[0]), list):
            return values[args[0]][args[1]]
        return self._copied(node, values)

    def _may_inline(self, name: str, args: list[Any], outer: list[Any]) -> bool:
        """A region without gradients, of what has none anyway, or one that forbids autocast."""
        if name == "wrap_with_set_grad_enabled":
            return not any(self._may_have_gradient(a) for a in outer)
        return args[2] is False

    def _may_have_gradient(self, node: Any) -> bool:
        """Also an argument whose example has none."""
        if not isinstance(node, Node):
            return False
        is_input = node.op == "placeholder" and _is_floating(node)
        return (
            is_input
            or any(map(self._may_have_gradient, node.all_input_nodes))
            or (node in self._into.differentiable)
        )

    def _copied(self, node: Node, values: dict[Node, Any]) -> Node:
        made = self._graph.node_copy(node, lambda n: values[n])
        leans = not self._into.differentiable.isdisjoint(made.all_input_nodes)
        is_cut = made.target is torch.ops.aten.detach.default
        if _is_floating(made) and leans and not is_cut:
            self._into.differentiable.add(made)
        return made


_REGIONS = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4}
"""Operators over a subgraph, and where it stands among their arguments."""


def _result(node: Node) -> Any:
    return node.args[0]


def _is_assertion(node: Node) -> bool:
    return node.target is torch.ops.aten._assert_tensor_metadata.default


def _is_floating(node: Node) -> bool:
    found = node.meta.get("val")
    many = found if isinstance(found, list | tuple) else [found]
    return any(isinstance(one, Tensor) and one.is_floating_point() for one in many)


def compiled(graph: Graph) -> Callable[..., Any]:
    """The graph as a function of a module, which has its parameters, and the flat inputs."""
    return type(GraphModule(_Names(), graph)).forward


class _Names(nn.Module):
    """Has every name that a graph may ask for; never run."""

    def __getattr__(self, name: str) -> Any:
        return self
