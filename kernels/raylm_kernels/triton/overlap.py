"""Kernels that begin while those before them end (programmatic dependent launch, from compute
capability 9.0 on), so that the weights of the next are on their way already.

Such a kernel lets the next one begin as soon as all its programs have begun, and waits for the ones
before it to end before it reads what they may have written, or writes. Weights it reads before
that, which is right where nobody changes them: in inference mode.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from raylm_kernels.triton.launched import IS_INTERPRETED

_is_allowed = True


@triton.jit
def let_next_begin(OVERLAPS: tl.constexpr):
    if OVERLAPS:
        gdc_launch_dependents()


@triton.jit
def wait_for_others(OVERLAPS: tl.constexpr):
    if OVERLAPS:
        gdc_wait()


def overlap(x: Tensor) -> dict[str, bool]:
    """What a kernel on the device of x is launched with; on "meta", as on such a GPU."""
    can = x.is_meta or (x.is_cuda and torch.cuda.get_device_capability(x.device) >= (9, 0))
    overlaps = can and _is_allowed and not IS_INTERPRETED and torch.is_inference_mode_enabled()
    return {"OVERLAPS": overlaps, "launch_pdl": overlaps}


@contextmanager
def one_after_another() -> Iterator[None]:
    """Inside, no kernels overlap: to find what that is worth."""
    global _is_allowed
    before, _is_allowed = _is_allowed, False
    try:
        yield
    finally:
        _is_allowed = before
