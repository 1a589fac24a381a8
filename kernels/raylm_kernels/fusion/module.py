"""A module that shares all its parameters with another one, and runs a graph instead."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from raylm_kernels.fusion.capture import HOLDER, Captured, compiled
from raylm_kernels.fusion.error import FusionError
from raylm_kernels.fusion.report import Report

Remake = Callable[[nn.Module], Captured]


class Fused(nn.Module):
    """Mixed into the class of the module that was fused: the same parameters, buffers, submodules
    and state_dict. Hooks of submodules are not run, for the graph does not call them.

    Training and evaluation each have their own graph, made when first asked for: dropout and
    whatever else asks for the mode is captured as it is in that mode.
    """

    report: Report

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        captured, run = self.__dict__["_graphs"][self.training]
        if torch.is_autocast_enabled(captured.device_type):
            raise FusionError(
                f"{type(self).__name__} runs in the formats of its weights, not under autocast: "
                "leave autocast, and cast the module instead, as with module.to(torch.bfloat16)"
            )
        tensors = captured.inputs.flatten(args, kwargs)
        return pytree.tree_unflatten(list(run(self, *tensors)), captured.out_spec)

    def train(self, mode: bool = True) -> "Fused":
        super().train(mode)
        if mode not in self.__dict__["_graphs"]:
            plain = self.__dict__["_plain"].train(mode)
            self._learn(self.__dict__["_remake"](plain))
        return self

    def _learn(self, captured: Captured) -> None:
        """Its graph for the mode it is captured in."""
        for name, one in captured.held.items():
            if isinstance(one, Tensor):
                self.get_submodule(HOLDER).register_buffer(name, one, persistent=False)
            else:
                setattr(self.get_submodule(HOLDER), name, one)
        self.__dict__["_graphs"][captured.training] = captured, compiled(captured.graph)

    @property
    def graph(self) -> torch.fx.Graph:
        """What runs in this mode."""
        found: torch.fx.Graph = self.__dict__["_graphs"][self.training][0].graph
        return found


def fused(module: nn.Module, captured: Captured, remake: Remake) -> nn.Module:
    """`module` over, with the graph for its forward; `remake` captures it in its other mode."""
    made = twin(module)
    plain = copy.copy(made)
    plain.__dict__["_modules"] = dict(made._modules)
    made.add_module(HOLDER, nn.Module())
    name = f"Fused{type(module).__name__}"
    made.__class__ = type(name, (Fused, type(module)), {"__module__": type(module).__module__})
    made.__dict__.update(_graphs={}, _plain=plain, _remake=remake)
    made._learn(captured)  # type: ignore[operator]
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
