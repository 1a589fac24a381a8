"""Kernels that begin while those before them end (programmatic dependent launch, from compute
capability 9.0 on), so that the weights of the next are on their way already.

Such a kernel lets the next one begin as soon as all its programs have begun, and waits for the ones
before it to end before it reads what they may have written, or writes. Weights it reads before
that, so whoever asks for it says that no kernel before writes them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.launched import IS_INTERPRETED

_is_asked_for = ContextVar("overlapping", default=False)  # other threads may write weights


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
    can = (x.is_meta or x.is_cuda) and gpu_of(x).is_hopper
    overlaps = can and _is_asked_for.get() and not IS_INTERPRETED
    return {"OVERLAPS": overlaps, "launch_pdl": overlaps}


@contextmanager
def overlapping() -> Iterator[None]:
    """Inside, kernels that can are launched, or recorded, to overlap."""
    token = _is_asked_for.set(True)
    try:
        yield
    finally:
        _is_asked_for.reset(token)
