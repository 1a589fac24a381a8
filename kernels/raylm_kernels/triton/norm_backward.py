"""The gradients of normalised rows. Every program sums its rows' gradients by weight and bias, then
the programs' sums are summed: in one order, so that training can be repeated."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.triton.capacity import programs_at_once
from raylm_kernels.triton.launched import IS_INTERPRETED, launched
from raylm_kernels.triton.norm import moments, summed
from raylm_kernels.triton.rows import as_rows

_LONGEST_BYTES = 16 * 1024  # of a row that a program holds, with its gradient and sums
_LONG_BLOCK = 8192
_IS_INTERPRETED = tl.constexpr(IS_INTERPRETED)
_SHARED = 96 * 1024  # bytes of a program for the rows that are on their way


@triton.jit
def _added(a, b, other_a, other_b):
    return a + other_a, b + other_b


@triton.jit
def _sums(a, b):
    """Of two tensors at once: the threads of a row wait for each other once."""
    if _IS_INTERPRETED:  # it would add one by one
        return tl.sum(a, 1, keep_dims=True), tl.sum(b, 1, keep_dims=True)
    return tl.reduce((a, b), 1, _added, keep_dims=True)


@triton.jit
def norm_backward_kernel(
    grad_ptr,
    grad_total_ptr,
    x_ptr,
    residual_ptr,
    weight_ptr,
    grad_x_ptr,
    grad_residual_ptr,
    weight_sums_ptr,
    bias_sums_ptr,
    rows,
    width,
    strides,
    eps,
    IS_CENTRED: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    column = tl.arange(0, BLOCK)[None, :]
    weight = tl.load(weight_ptr + column, column < width, other=0.0).to(tl.float32)
    weight_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    bias_sum = tl.zeros([ROWS, BLOCK], tl.float32)
    first, step = tl.program_id(0) * ROWS, tl.num_programs(0) * ROWS
    for start in tl.range(first, rows, step, num_stages=STAGES):
        row = (start + tl.arange(0, ROWS)).to(tl.int64)[:, None]
        inside = (row < rows) & (column < width)
        grad = tl.load(grad_ptr + row * strides[0] + column, inside, other=0.0).to(tl.float32)
        x_at, residual_at = row * strides[2] + column, row * strides[3] + column
        x = summed(x_ptr, residual_ptr, x_at, residual_at, inside, grad_ptr.dtype.element_ty, "")
        scaled = grad * weight
        if IS_CENTRED:
            total, level = _sums(x, scaled)
            x = tl.where(inside, x - total / width, 0.0)
        square, along = _sums(x * x, scaled * x)
        scale = tl.rsqrt(square / width + eps)
        grad_x = scale * scaled - (scale * scale * scale * along / width) * x
        if IS_CENTRED:
            grad_x -= scale * level / width
        if grad_total_ptr is not None:
            total_at = grad_total_ptr + row * strides[1] + column
            grad_x += tl.load(total_at, inside, other=0.0).to(tl.float32)
        at = row * width + column
        tl.store(grad_x_ptr + at, grad_x.to(grad_x_ptr.dtype.element_ty), inside)
        if grad_residual_ptr is not None:
            grad_residual = grad_x.to(grad_residual_ptr.dtype.element_ty)
            tl.store(grad_residual_ptr + at, grad_residual, inside)
        x_share = grad * scale * x
        weight_sum += tl.where(row < rows, x_share, 0.0) if ROWS > 1 else x_share
        bias_sum += grad
    at = tl.program_id(0).to(tl.int64) * width + tl.arange(0, BLOCK)
    inside = tl.arange(0, BLOCK) < width
    tl.store(weight_sums_ptr + at, tl.sum(weight_sum, 0), inside)
    if bias_sums_ptr is not None:
        tl.store(bias_sums_ptr + at, tl.sum(bias_sum, 0), inside)


@triton.jit
def long_norm_backward_kernel(
    grad_ptr,
    grad_total_ptr,
    x_ptr,
    residual_ptr,
    weight_ptr,
    grad_x_ptr,
    grad_residual_ptr,
    weight_sums_ptr,
    bias_sums_ptr,
    rows,
    width,
    strides,
    eps,
    IS_CENTRED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """As above, the sums in memory, where they are zero at first."""
    dtype: tl.constexpr = grad_ptr.dtype.element_ty
    first = tl.program_id(0).to(tl.int64)
    sums_at = first * width
    for start in tl.range(0, rows - tl.program_id(0), tl.num_programs(0)):
        row = first + start
        x_row, grad_row = x_ptr + row * strides[2], grad_ptr + row * strides[0]
        residual_row = None if residual_ptr is None else residual_ptr + row * strides[3]
        mean, scale = moments(x_row, residual_row, width, eps, dtype, IS_CENTRED, BLOCK)
        along, level = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
        for start in tl.range(0, width, BLOCK):
            column = start + tl.arange(0, BLOCK)
            inside = column < width
            scaled = tl.load(grad_row + column, inside, other=0.0).to(tl.float32)
            scaled *= tl.load(weight_ptr + column, inside, other=0.0).to(tl.float32)
            x = summed(x_row, residual_row, column, column, inside, dtype, "")
            along += scaled * ((x - mean) * scale)
            level += scaled
        slope, shift = tl.sum(along, 0) / width, tl.sum(level, 0) / width
        for start in tl.range(0, width, BLOCK):
            column = start + tl.arange(0, BLOCK)
            inside = column < width
            grad = tl.load(grad_row + column, inside, other=0.0).to(tl.float32)
            weight = tl.load(weight_ptr + column, inside, other=0.0).to(tl.float32)
            x = (summed(x_row, residual_row, column, column, inside, dtype, "") - mean) * scale
            grad_x = grad * weight - x * slope
            if IS_CENTRED:
                grad_x -= shift
            grad_x *= scale
            if grad_total_ptr is not None:
                total_at = grad_total_ptr + row * strides[1] + column
                grad_x += tl.load(total_at, inside, other=0.0).to(tl.float32)
            at = row * width + column
            tl.store(grad_x_ptr + at, grad_x.to(grad_x_ptr.dtype.element_ty), inside)
            if grad_residual_ptr is not None:
                grad_residual = grad_x.to(grad_residual_ptr.dtype.element_ty)
                tl.store(grad_residual_ptr + at, grad_residual, inside)
            _add(weight_sums_ptr + sums_at + column, grad * x, inside)
            if bias_sums_ptr is not None:
                _add(bias_sums_ptr + sums_at + column, grad, inside)
        tl.debug_barrier()  # what one thread has added another may read


@triton.jit
def _add(at, x, inside):
    tl.store(at, tl.load(at, inside, other=0.0) + x, inside)


@triton.jit
def column_sum_kernel(parts_ptr, sum_ptr, parts, width, PARTS: tl.constexpr, COLUMNS: tl.constexpr):
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    total = tl.zeros([PARTS, COLUMNS], tl.float32)
    for start in tl.range(0, parts, PARTS):
        part = start + tl.arange(0, PARTS)[:, None]
        inside = (part < parts) & (column < width)
        total += tl.load(parts_ptr + part * width + column, inside, other=0.0)
    inside = column < width
    total = tl.sum(total, 0, keep_dims=True)
    tl.store(sum_ptr + column, total.to(sum_ptr.dtype.element_ty), inside)


@launched("rms_norm_backward", lambda grads, x, weight, eps: x.numel() > 0)
def rms_norm_backward(
    grads: Sequence[Tensor], x: Tensor, weight: Tensor, eps: float
) -> list[Tensor]:
    return _present(_backward(grads[0], None, x, None, weight, None, eps, is_centred=False))


@launched(
    "add_rms_norm_backward",
    lambda grads, x, residual, weight, eps: grads[0] is not None and x.numel() > 0,
)
def add_rms_norm_backward(
    grads: Sequence[Tensor | None], x: Tensor, residual: Tensor, weight: Tensor, eps: float
) -> list[Tensor]:
    grad, grad_total = grads
    assert grad is not None
    return _present(_backward(grad, grad_total, x, residual, weight, None, eps, is_centred=False))


@launched("layer_norm_backward", lambda grads, x, weight, bias, eps: x.numel() > 0)
def layer_norm_backward(
    grads: Sequence[Tensor], x: Tensor, weight: Tensor, bias: Tensor | None, eps: float
) -> list[Tensor]:
    return _present(_backward(grads[0], None, x, None, weight, bias, eps, is_centred=True))


def _backward(
    grad: Tensor,
    grad_total: Tensor | None,
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    eps: float,
    *,
    is_centred: bool,
) -> list[Tensor | None]:
    """By x, residual, weight and bias."""
    width = len(weight)
    inputs = [None if t is None else as_rows(t) for t in (grad, grad_total, x, residual)]
    grad_x, grad_residual = (
        None if t is None else torch.empty(t.shape, dtype=t.dtype, device=t.device)
        for t in (x, residual)
    )
    rows, block, warps = _tile(width, x.itemsize)
    programs = _programs(x, rows, warps)
    sums = [
        None if t is None else x.new_zeros((programs, width), dtype=torch.float32)
        for t in (weight, bias)
    ]
    args = (
        *(*inputs, weight.contiguous(), grad_x, grad_residual, *sums, x.numel() // width, width),
        *(tuple(0 if t is None else t.stride(0) for t in inputs), eps, is_centred),
    )
    if width * x.itemsize > _LONGEST_BYTES:
        long_norm_backward_kernel[(programs,)](*args, BLOCK=block, num_warps=warps)
    else:
        row_bytes = sum(t.itemsize * rows * block for t in inputs if t is not None)
        stages = min(3, 1 + _SHARED // row_bytes)
        norm_backward_kernel[(programs,)](
            *args, ROWS=rows, BLOCK=block, STAGES=stages, num_warps=warps
        )
    return [grad_x, grad_residual, _column_sum(sums[0], weight), _column_sum(sums[1], bias)]


def _tile(width: int, itemsize: int) -> tuple[int, int, int]:
    """Rows a program has at a time, elements of each and warps: 32 bytes a thread."""
    if width * itemsize > _LONGEST_BYTES:
        return 1, _LONG_BLOCK, 16
    block = triton.next_power_of_2(width)
    rows = max(1, 2048 // block)
    return rows, block, rows * block * itemsize // 1024


def _programs(x: Tensor, rows: int, warps: int) -> int:
    """As many as are at work together: more would have more sums to sum."""
    tiles = triton.cdiv(x.numel() // x.shape[-1], rows)
    return int(min(tiles, programs_at_once(x) * max(1, 16 // warps)))


def _column_sum(parts: Tensor | None, like: Tensor | None) -> Tensor | None:
    if parts is None or like is None:
        return None
    total = torch.empty(like.shape, dtype=like.dtype, device=like.device)
    columns = triton.next_power_of_2(triton.cdiv(len(like), programs_at_once(parts)))
    columns = min(512, max(32, columns))
    column_sum_kernel[(triton.cdiv(len(like), columns),)](
        parts, total, len(parts), len(like), PARTS=4096 // columns, COLUMNS=columns
    )
    return total


def _present(tensors: Sequence[Tensor | None]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor is not None]
