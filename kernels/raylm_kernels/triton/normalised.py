"""Rows normalised ahead of a product whose programs are too many to do it each for themselves."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.gemm import contiguous, power_of_2, rows_of

_WIDEST = 16_384  # a row that is held in registers


@triton.jit
def normalise_kernel(
    x_ptr,
    weight_ptr,
    bias_ptr,
    y_ptr,
    width,
    stride,
    eps,
    CENTRED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < width
    x = tl.load(x_ptr + row * stride + at, inside, other=0.0).to(tl.float32)
    if CENTRED:
        x = tl.where(inside, x - tl.sum(x, 0) / width, 0.0)
    y = x * tl.rsqrt(tl.sum(x * x, 0) / width + eps)
    y *= tl.load(weight_ptr + at, inside, other=0.0).to(tl.float32)
    if bias_ptr is not None:
        y += tl.load(bias_ptr + at, inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + row * width + at, y.to(y_ptr.dtype.element_ty), inside)


def fits(x: Tensor) -> bool:
    return x.numel() > 0 and x.shape[-1] <= _WIDEST


def normalised(
    x: Tensor, weight: Tensor, bias: Tensor | None, eps: float, *, centred: bool
) -> Tensor:
    """rms_norm of x, or layer_norm where it is `centred`."""
    flat = rows_of(x)
    rows, width = flat.shape
    y = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    block = power_of_2(width)
    normalise_kernel[(rows,)](
        flat,
        contiguous(weight),
        contiguous(bias),
        y,
        width,
        flat.stride(0),
        eps,
        CENTRED=centred,
        BLOCK=block,
        num_warps=min(max(block // 512, 1), 16),
    )
    return y
