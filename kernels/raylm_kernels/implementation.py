"""One way to compute an op, and which arguments it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

REFERENCE = "torch"
"""The implementation that every op has: plain PyTorch on any device."""


def _always_ready() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Implementation:
    """`device`: a torch device type; `dtypes`: of the op's first tensor; `capability`: the least
    CUDA compute capability; None is any. `when`: told the op's arguments, whether it takes them.
    It may depend on shapes, strides, dtypes and devices of tensors, on signs of real numbers and on
    other plain values, for what it says is remembered by those. `priority`: the higher one wins
    where times cannot be taken, or do not differ. `ready`: why it cannot run on this machine at
    all, empty where it can.
    """

    op: str
    name: str
    function: Callable[..., Any]
    device: str | None = None
    dtypes: frozenset[torch.dtype] | None = None
    capability: tuple[int, int] | None = None
    when: Callable[..., bool] | None = None
    priority: int = 0
    ready: Callable[[], str] = _always_ready

    def obstacle(self, args: Sequence[Any]) -> str:
        """Why it cannot take these arguments; empty where it can."""
        x = first_tensor(args)
        if self.device is not None and x.device.type != self.device:
            return f"needs a tensor on {self.device}, found {x.device}"
        if self.dtypes is not None and x.dtype not in self.dtypes:
            wanted = ", ".join(sorted(map(_short, self.dtypes)))
            return f"takes {wanted}, found {_short(x.dtype)}"
        if self.capability is not None and (found := _capability(x.device)) < self.capability:
            return f"needs compute capability {_dotted(self.capability)}, found {_dotted(found)}"
        if missing := self.ready():
            return missing
        if self.when is not None and not self.when(*args):
            return "does not take this shape"
        return ""


def tensors_in(args: Sequence[Any]) -> list[Tensor]:
    """Also those in lists."""
    flat = [item for arg in args for item in (arg if isinstance(arg, list | tuple) else (arg,))]
    return [item for item in flat if isinstance(item, Tensor)]


def first_tensor(args: Sequence[Any]) -> Tensor:
    return tensors_in(args)[0]


def _capability(device: torch.device) -> tuple[int, int]:
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else (0, 0)


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
