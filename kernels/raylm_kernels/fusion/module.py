"""A module that shares all its parameters with another one, and runs a graph instead."""

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from raylm_kernels.fusion.capture import HOLDER, Captured, compiled
from raylm_kernels.fusion.error import FusionError

if TYPE_CHECKING:
    from raylm_kernels.fusion.report import Report


class Fused(nn.Module):
    """Mixed into the class of the module that was fused: the same parameters, buffers, submodules
    and state_dict. Hooks of submodules are not run, for the graph does not call them."""

    report: "Report"
    _captured: Captured

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        captured = self._captured
        if torch.is_autocast_enabled(captured.device_type):
            raise FusionError(
                f"{type(self).__name__} runs in the formats of its weights, not under autocast: "
                "leave autocast, and cast the module instead, as with module.to(torch.bfloat16)"
            )
        leaves = captured.inputs.flatten(args, kwargs)
        results = self._run(self, *leaves)
        return pytree.tree_unflatten(list(results), captured.out_spec)

    def train(self, mode: bool = True) -> "Fused":
        captured = self._captured
        if mode != captured.training and captured.needs_mode:
            wanted, was = ("train", "eval") if mode else ("eval", "train")
            raise FusionError(
                f"{type(self).__name__} was fused in {was} mode, in which its dropout is captured: "
                f"fuse(module.{wanted}(), ...) makes one for {wanted}, with the same parameters"
            )
        return super().train(mode)

    @staticmethod
    def _run(*args: Any) -> tuple[Any, ...]:
        raise NotImplementedError


def fused(module: nn.Module, captured: Captured) -> nn.Module:
    """`module` over, with the graph for its forward."""
    made = twin(module)
    made.add_module(HOLDER, _Held(captured.held))
    body = {"_captured": captured, "_run": staticmethod(compiled(captured.graph))}
    body["__module__"] = type(module).__module__  # type: ignore[assignment]
    made.__class__ = type(f"Fused{type(module).__name__}", (Fused, type(module)), body)
    return made


def twin(module: nn.Module, children: Mapping[str, nn.Module] | None = None) -> nn.Module:
    """Other modules, the same parameters and buffers; `children`, by path, stand in."""
    known: dict[int, nn.Module] = {}

    def doubled(one: nn.Module, path: str) -> nn.Module:
        if children and path in children:
            return children[path]
        if id(one) not in known:
            made = known[id(one)] = copy.copy(one)
            made.__dict__["_modules"] = {
                name: child and doubled(child, f"{path}.{name}" if path else name)
                for name, child in one._modules.items()
            }
        return known[id(one)]

    return doubled(module, "")


class _Held(nn.Module):
    """Tensors and subgraphs that the forward made for itself; they move with the module."""

    def __init__(self, held: Mapping[str, Any]) -> None:
        super().__init__()
        for name, one in held.items():
            if isinstance(one, Tensor):
                self.register_buffer(name, one, persistent=False)
            else:
                setattr(self, name, one)
