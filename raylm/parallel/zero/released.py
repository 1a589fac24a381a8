"""A sharded parameter while its memory is not here: reading it is an error, not a crash."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from raylm.core.errors import RayLMError

_PROPERTIES = (
    *("shape", "dtype", "device", "layout", "ndim", "itemsize", "nbytes"),
    *("requires_grad", "grad", "grad_fn", "is_leaf", "retains_grad", "output_nr"),
    *("is_cpu", "is_cuda", "is_meta", "is_quantized", "is_sparse", "is_nested"),
)
_METHODS = (
    *("size", "dim", "numel", "nelement", "stride", "storage_offset", "element_size"),
    *("is_contiguous", "is_floating_point", "is_complex", "__hash__", "__len__"),
    *("data_ptr", "untyped_storage", "requires_grad_", "get_device"),
    *("register_hook", "register_post_accumulate_grad_hook"),
)
_KNOWN_WITHOUT_MEMORY = frozenset(
    (
        *(getattr(Tensor, name).__get__ for name in _PROPERTIES),
        *(getattr(Tensor, name).__set__ for name in ("grad", "requires_grad")),
        *(getattr(Tensor, name) for name in _METHODS),
        *(torch.is_complex, torch.is_floating_point, torch.numel),
    )
)


class ReleasedParameter(nn.Parameter):
    """Answers what can be known without its memory. Raises RayLMError for the rest."""

    qualified_name: str

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function not in _KNOWN_WITHOUT_MEMORY:
            raise RayLMError(f"{_names(args)} is sharded and not gathered here; {_REMEDY}")
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))

    def __repr__(self) -> str:  # type: ignore[override]
        return f"{self.qualified_name}, sharded: shape={tuple(self.shape)}, dtype={self.dtype}"


_REMEDY = (
    "use module.weight inside a forward pass, and engine.get_full_param(name), set_full_param or "
    "full_state_dict on every rank outside of it"
)


def hide(name: str, parameter: nn.Parameter) -> None:
    """Parameters of the user's own classes stay as they are."""
    if type(parameter) is nn.Parameter:
        parameter.__class__ = ReleasedParameter
        parameter.qualified_name = name  # type: ignore[attr-defined]


def show(parameter: nn.Parameter) -> None:
    if type(parameter) is ReleasedParameter:
        parameter.__class__ = nn.Parameter  # type: ignore[assignment]


def _names(values: Sequence[Any]) -> str:
    released = [value.qualified_name for value in values if isinstance(value, ReleasedParameter)]
    return " and ".join(released) or "a parameter"
