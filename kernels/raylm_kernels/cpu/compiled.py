"""The compiled kernels of this folder as implementations of ops, over fp32 tensors."""

import functools
import warnings
from collections.abc import Callable
from ctypes import CDLL
from typing import Any, TypeVar

import torch
from torch import Tensor

from raylm_kernels.arguments import ArgumentError, outline
from raylm_kernels.cpu import build
from raylm_kernels.registry import register

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(
    op: str | Callable[..., Any], when: Callable[..., bool]
) -> Callable[[_Function], _Function]:
    """Registers the decorated function, which takes the op's arguments where `when` says so."""
    return register(
        op, name="compiled", device="cpu", dtypes=[torch.float32], ready=_obstacle, when=when
    )


@functools.cache
def _obstacle() -> str:
    works, reason = build.available()
    if not works:
        warnings.warn(f"plain PyTorch serves in place of the CPU kernels: {reason}", stacklevel=2)
    return "" if works else reason


def kernels() -> CDLL:
    return build.library(build.best_isa())


def are_fp32(*tensors: Tensor | None) -> bool:
    return all(t is None or t.dtype == torch.float32 for t in tensors)


def address(tensor: Tensor | None) -> int | None:
    """Of contiguous elements on the CPU; what holds them must outlive the call."""
    if tensor is None:
        return None
    if tensor.device.type != "cpu":
        raise ArgumentError(f"expected a tensor on cpu, found {outline(tensor)}")
    if not tensor.is_contiguous():
        raise RuntimeError(f"not contiguous: {outline(tensor)} with strides {tensor.stride()}")
    return tensor.data_ptr()
