"""Softmax of masked scores, and its gradient: in registers, or in pieces if rows are long."""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import fused
from raylm_kernels.triton.gemm import cdiv, power_of_2
from raylm_kernels.triton.launched import launched

_MASKS = (torch.bool, torch.float32, torch.bfloat16, torch.float16)
_WIDEST = 16_384  # a row that is held in registers
_PIECE = 4096  # of a longer one
_BLOCK = 4096  # numbers of a program whose rows are shorter


@triton.jit
def masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width):
    """scores * scale + mask of rows, at some of their columns; -inf where nothing is inside."""
    offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
    value = tl.load(scores_ptr + offsets, inside, other=0.0).to(tl.float32) * scale
    if mask_ptr is not None:
        middle, inner, outer_stride, middle_stride, inner_stride, stride = layout
        row = (rows // (middle * inner)).to(tl.int64) * outer_stride
        row += (rows // inner % middle).to(tl.int64) * middle_stride
        row += (rows % inner).to(tl.int64) * inner_stride
        mask = tl.load(mask_ptr + row[:, None] + at[None, :] * stride, inside, other=0)
        if mask_ptr.dtype.element_ty == tl.int1:
            value = tl.where(mask, value, float("-inf"))
        else:
            value += mask.to(tl.float32)
    return tl.where(inside, value, float("-inf"))


@triton.jit
def base_of(top):
    """What exponentials are taken below of: 0 where a row sees nothing."""
    return tl.where(top == float("-inf"), 0.0, top)


@triton.jit
def inverse(total):
    """NaN where a row sees nothing."""
    is_seen = total > 0.0
    return tl.where(is_seen, 1.0 / tl.where(is_seen, total, 1.0), float("nan"))


@triton.jit
def kept(grad, value, mask_ptr):
    """Through a bool mask no gradient passes where it is False, even if nothing is seen."""
    IS_BOOL: tl.constexpr = mask_ptr is not None and mask_ptr.dtype.element_ty == tl.int1
    return tl.where(value == float("-inf"), 0.0, grad) if IS_BOOL else grad


@triton.jit
def softmax_kernel(
    scores_ptr,
    mask_ptr,
    layout,
    y_ptr,
    scale,
    height,
    width,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    at = tl.arange(0, BLOCK)
    inside = (rows < height)[:, None] & (at < width)[None, :]
    value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width)
    y = tl.exp(value - base_of(tl.max(value, 1)[:, None]))
    y *= inverse(tl.sum(y, 1)[:, None])
    offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
    tl.store(y_ptr + offsets, y.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def softmax_backward_kernel(
    grad_ptr,
    scores_ptr,
    mask_ptr,
    layout,
    out_ptr,
    scale,
    height,
    width,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    at = tl.arange(0, BLOCK)
    inside = (rows < height)[:, None] & (at < width)[None, :]
    offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
    grad = tl.load(grad_ptr + offsets, inside, other=0.0).to(tl.float32)
    value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width)
    y = tl.exp(value - base_of(tl.max(value, 1)[:, None]))
    y *= inverse(tl.sum(y, 1)[:, None])
    grad = kept(y * (grad - tl.sum(grad * y, 1)[:, None]) * scale, value, mask_ptr)
    tl.store(out_ptr + offsets, grad.to(out_ptr.dtype.element_ty), inside)


@triton.jit
def extremes(scores_ptr, mask_ptr, layout, scale, rows, width, BLOCK: tl.constexpr):
    """The maximum of a long row, and the inverse of the sum of exponentials below it."""
    top = tl.full([1, BLOCK], float("-inf"), tl.float32)
    total = tl.zeros([1, BLOCK], tl.float32)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, (at < width)[None, :], width)
        higher = tl.maximum(top, value, propagate_nan=tl.PropagateNan.ALL)
        base = base_of(higher)
        total = total * tl.exp(top - base) + tl.exp(value - base)
        top = higher
    base = base_of(tl.max(top, 1)[:, None])
    return base, inverse(tl.sum(total * tl.exp(top - base), 1)[:, None])


@triton.jit
def long_softmax_kernel(scores_ptr, mask_ptr, layout, y_ptr, scale, width, BLOCK: tl.constexpr):
    rows = tl.program_id(0) + tl.arange(0, 1)
    base, share = extremes(scores_ptr, mask_ptr, layout, scale, rows, width, BLOCK)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = (at < width)[None, :]
        value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width)
        offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
        y = tl.exp(value - base) * share
        tl.store(y_ptr + offsets, y.to(y_ptr.dtype.element_ty), inside)


@triton.jit
def long_softmax_backward_kernel(
    grad_ptr, scores_ptr, mask_ptr, layout, out_ptr, scale, width, BLOCK: tl.constexpr
):
    rows = tl.program_id(0) + tl.arange(0, 1)
    base, share = extremes(scores_ptr, mask_ptr, layout, scale, rows, width, BLOCK)
    dot = tl.zeros([1, BLOCK], tl.float32)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = (at < width)[None, :]
        value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width)
        offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
        grad = tl.load(grad_ptr + offsets, inside, other=0.0).to(tl.float32)
        dot += grad * tl.exp(value - base)
    mean = tl.sum(dot, 1)[:, None] * share
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        inside = (at < width)[None, :]
        value = masked(scores_ptr, mask_ptr, layout, scale, rows, at, inside, width)
        offsets = rows.to(tl.int64)[:, None] * width + at[None, :]
        grad = tl.load(grad_ptr + offsets, inside, other=0.0).to(tl.float32)
        y = tl.exp(value - base) * share
        grad = kept(y * (grad - mean) * scale, value, mask_ptr)
        tl.store(out_ptr + offsets, grad.to(out_ptr.dtype.element_ty), inside)


def _takes(scores: Tensor, mask: Tensor | None, scale: float) -> bool:
    is_known = mask is None or mask.dtype in _MASKS
    return scores.ndim > 0 and scores.numel() > 0 and is_known


@launched(fused.masked_softmax, _takes)
def masked_softmax(scores: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    scores = scores.contiguous()
    y = torch.empty_like(scores)
    mask, layout = _laid_out(mask, scores)
    width = scores.shape[-1]
    height = scores.numel() // width
    if width > _WIDEST:
        long_softmax_kernel[(height,)](
            scores, mask, layout, y, scale, width, BLOCK=_PIECE, num_warps=8
        )
    else:
        grid, meta = _short(height, width)
        softmax_kernel[grid](scores, mask, layout, y, scale, height, width, **meta)
    return y


@launched("masked_softmax_backward", lambda grads, *args: _takes(*args))
def masked_softmax_backward(
    grads: Sequence[Tensor], scores: Tensor, mask: Tensor | None, scale: float
) -> list[Tensor]:
    scores, grad = scores.contiguous(), grads[0].contiguous()
    out = torch.empty_like(scores)
    mask, layout = _laid_out(mask, scores)
    width = scores.shape[-1]
    height = scores.numel() // width
    if width > _WIDEST:
        long_softmax_backward_kernel[(height,)](
            grad, scores, mask, layout, out, scale, width, BLOCK=_PIECE, num_warps=8
        )
    else:
        grid, meta = _short(height, width)
        softmax_backward_kernel[grid](grad, scores, mask, layout, out, scale, height, width, **meta)
    return [out]


def _short(height: int, width: int) -> tuple[tuple[int], dict[str, Any]]:
    """The grid and the sizes of a kernel that holds whole rows."""
    block = power_of_2(width)
    numbers = _BLOCK if width % 16 == 0 else _BLOCK // 2  # apart, their addresses take registers
    rows = max(numbers // block, 1)
    meta = {"ROWS": rows, "BLOCK": block, "num_warps": max(4, block // 1024)}
    return (cdiv(height, rows),), meta


def _laid_out(mask: Tensor | None, scores: Tensor) -> tuple[Tensor | None, tuple[int, ...]]:
    """The mask, and how it lies over rows of scores: two sizes, three strides, and one within a
    row. One that does so in more strides is written out."""
    if mask is None:
        return None, (1,) * 6
    whole = mask.expand(scores.shape)
    if len(dims := _collapsed(whole)) > 3:
        dims = _collapsed(whole := whole.contiguous())
    dims = [(1, 0)] * (3 - len(dims)) + dims
    (_, outer), (middle, middle_stride), (inner, inner_stride) = dims
    return whole, (middle, inner, outer, middle_stride, inner_stride, whole.stride(-1))


def _collapsed(whole: Tensor) -> list[tuple[int, int]]:
    """Sizes and strides of all dimensions but the last, as few as they can be."""
    dims: list[tuple[int, int]] = []
    for size, stride in zip(whole.shape[:-1], whole.stride()[:-1], strict=True):
        if size == 1:
            continue
        if dims and dims[-1][1] == size * stride:
            dims[-1] = (dims[-1][0] * size, stride)
        else:
            dims.append((size, stride))
    return dims
