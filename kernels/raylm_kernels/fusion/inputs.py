"""The arguments of a module's forward: as an example has them, and as a later call must."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from raylm_kernels.fusion.error import FusionError
from raylm_kernels.fusion.shapes import Dims, bind_dims, dims_of

_MOST_ACCEPTED = 256


class Inputs:
    """All arguments in the order of the signature, defaults filled in, and flat."""

    def __init__(self, module: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self._owner = type(module).__name__
        self._signature = inspect.signature(module.forward)
        try:
            self.args, self.kwargs = self._complete(args, kwargs)
        except TypeError as error:
            raise FusionError(
                f"fuse: {self._owner} needs an example of its call, and {error}: pass tensors like "
                f"those of later calls, as in fuse(module, (x,), {{'mask': mask}})"
            ) from error
        paths, self._spec = pytree.tree_flatten_with_path((self.args, self.kwargs))
        self.names = [self._name(path) for path, _ in paths]
        self.leaves = [leaf for _, leaf in paths]
        self._places = [p for p, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)]
        self._dims: dict[int, Dims] = {}
        self.constants: set[int] = set()
        """Which of the tensors a fused op is not differentiable by."""
        self._accepted: set[Any] = set()

    @property
    def tensors(self) -> list[Tensor]:
        return [self.leaves[place] for place in self._places]

    def whole(self, tensors: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with these tensors, and whatever else the example has."""
        leaves = list(self.leaves)
        for place, one in zip(self._places, tensors, strict=True):
            leaves[place] = one
        return pytree.tree_unflatten(leaves, self._spec)

    def learn(self, captured: Sequence[Tensor]) -> None:
        """The fake tensors that stand for them in the graph."""
        self._dims = {p: dims_of(one) for p, one in zip(self._places, captured, strict=True)}

    def flatten(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
        """The tensors of a later call. Raises FusionError where it is not like the example."""
        try:
            leaves, spec = pytree.tree_flatten(self._complete(args, kwargs))
        except TypeError as error:
            raise FusionError(f"fused {self._owner}: {error}") from error
        if spec != self._spec:
            self._refuse("its arguments", f"the structure {self._spec}", spec)
        key = tuple(map(_outline, leaves))
        if key not in self._accepted:
            self._require_alike(leaves)
            if len(self._accepted) >= _MOST_ACCEPTED:
                self._accepted.clear()
            self._accepted.add(key)
        return [leaves[place] for place in self._places]

    def _complete(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.args, dict(sorted(bound.kwargs.items()))

    def _require_alike(self, leaves: Sequence[Any]) -> None:
        sizes: dict[Any, int] = {}
        constants = {self._places[which] for which in self.constants}
        for place, (leaf, example) in enumerate(zip(leaves, self.leaves, strict=True)):
            name, dims = self.names[place], self._dims.get(place)
            if not isinstance(example, Tensor):
                if type(leaf) is not type(example) or leaf != example:
                    self._refuse(name, repr(example), _shown(leaf))
                continue
            alike = isinstance(leaf, Tensor) and (
                (leaf.dtype, leaf.device.type, leaf.ndim)
                == (example.dtype, example.device.type, example.ndim)
            )
            if not alike or not bind_dims(leaf.shape, dims, sizes):
                shape = "x".join(map(str, dims or example.shape))
                wanted = f"{example.dtype} {shape} on {example.device.type}"
                self._refuse(name, wanted, _shown(leaf))
            if place in constants and leaf.requires_grad:
                self._refuse(name, "no gradient, which the fused op would not pass on", "one")

    def _refuse(self, name: str, wanted: str, found: object) -> None:
        raise FusionError(
            f"fused {self._owner}: {name}: expected {wanted}, found {found}; fuse the module with "
            "an example like this call (sizes of 1 are fixed: let the example have 2; so are those "
            "that its forward makes plain numbers of, as len(x) does: take x.shape[0])"
        )

    def _name(self, path: Sequence[Any]) -> str:
        rest = pytree.keystr(tuple(path[2:]))
        if path[0].idx == 1:
            return f"{path[1].key}{rest}"
        names = list(self._signature.parameters)
        return f"{names[min(path[1].idx, len(names) - 1)]}{rest}"


def _outline(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.shape, leaf.dtype, leaf.device, leaf.requires_grad
    return type(leaf), leaf


def _shown(value: Any) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    return f"{value.dtype} {'x'.join(map(str, value.shape))} on {value.device.type}"


def tensors_require_one_kind(module: nn.Module) -> None:
    """Raises FusionError for parameters no fused op computes with."""
    known = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    for name, parameter in module.named_parameters():
        if parameter.dtype not in known:
            raise FusionError(
                f"fuse: {name} is {parameter.dtype}; fuse takes fp64, fp32, bf16 and fp16: "
                "dequantise the module, or leave this part of it out"
            )
        if parameter.is_meta:
            raise FusionError(
                f"fuse: {name} has no values, for it is on meta: load the weights first"
            )
