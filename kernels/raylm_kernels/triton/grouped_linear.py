"""A linear layer with one matrix for each group of rows, and its gradients.

Each program finds its group from the counts on the device; the grid is a bound by shapes alone, and
the programs that are left over leave.
"""

from collections.abc import Mapping, Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import moe
from raylm_kernels.triton.capacity import targets_hopper
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.tile_order import tile_at

_TOGETHER = tl.constexpr(16)  # blocks of rows that go through the columns


@triton.jit
def block_of_rows(counts_ptr, rows, groups, blocks_n, BM: tl.constexpr, BX: tl.constexpr):
    """A program's group, its first row, the row after the group's last (the first one where the
    program is left over), and its block of columns. Rows of no group are those of one more."""
    at = tl.arange(0, BX)
    count = tl.load(counts_ptr + at, at < groups, 0).to(tl.int32)
    count += tl.where(at == groups, tl.maximum(rows - tl.sum(count, 0), 0), 0)
    blocks = tl.cdiv(count, BM)
    blocks_m = tl.sum(blocks, 0)
    block, column = tile_at(tl.program_id(0), blocks_m, blocks_n, _TOGETHER)
    group = tl.sum((tl.cumsum(blocks, 0) <= block).to(tl.int32), 0)
    start = tl.sum(tl.where(at < group, count, 0), 0)
    first = start + (block - tl.sum(tl.where(at < group, blocks, 0), 0)) * BM
    end = tl.minimum(start + tl.sum(tl.where(at == group, count, 0), 0), rows)
    return group, first, tl.where(column < blocks_n, end, first), column


@triton.jit
def rows_of_group(counts_ptr, group, rows, groups, BX: tl.constexpr):
    """The first, and how many."""
    at = tl.arange(0, BX)
    count = tl.load(counts_ptr + at, at < groups, 0).to(tl.int32)
    first = tl.minimum(tl.sum(tl.where(at < group, count, 0), 0), rows)
    return first, tl.minimum(tl.sum(tl.where(at == group, count, 0), 0), rows - first)


@triton.jit
def grouped_linear_kernel(
    x_ptr,
    weight_ptr,
    counts_ptr,
    y_ptr,
    rows,
    groups,
    inner,
    columns,
    stride_xm,
    stride_wx,
    stride_wn,
    stride_wk,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BX: tl.constexpr,
    IS_EVEN: tl.constexpr,
    PRECISION: tl.constexpr,
):
    blocks_n = tl.cdiv(columns, BN)
    group, first, end, column = block_of_rows(counts_ptr, rows, groups, blocks_n, BM, BX)
    if first >= end:
        return
    inner = tl.where(group < groups, inner, 0)  # of no group: zeros
    m, n, k = tl.arange(0, BM), column * BN + tl.arange(0, BN), tl.arange(0, BK)
    is_row = first + m < end
    is_column = n < columns
    x_at = tl.where(is_row, m, 0)[:, None] * stride_xm + k[None, :]
    weight_at = n[None, :] * stride_wn + k[:, None] * stride_wk
    x_ptr += first.to(tl.int64) * stride_xm
    weight_ptr += group.to(tl.int64) * stride_wx
    sums = tl.zeros((BM, BN), tl.float32)
    for from_k in range(0, inner, BK):
        if IS_EVEN:
            x = tl.load(x_ptr + x_at)
            weight = tl.load(weight_ptr + weight_at, is_column[None, :], 0.0)
        else:
            is_inner = from_k + k < inner
            x = tl.load(x_ptr + x_at, is_inner[None, :], 0.0)
            is_weight = is_inner[:, None] & is_column[None, :]
            weight = tl.load(weight_ptr + weight_at, is_weight, 0.0)
        sums = tl.dot(x, weight, sums, input_precision=PRECISION)
        x_ptr += BK
        weight_ptr += BK * stride_wk
    y_at = y_ptr + first.to(tl.int64) * columns + m[:, None] * columns + n[None, :]
    tl.store(y_at, sums.to(y_ptr.dtype.element_ty), is_row[:, None] & is_column[None, :])


@triton.jit
def grouped_weight_gradient_kernel(
    grad_ptr,
    x_ptr,
    counts_ptr,
    grad_weight_ptr,
    rows,
    groups,
    outputs,
    inputs,
    stride_gm,
    stride_xm,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BX: tl.constexpr,
    PRECISION: tl.constexpr,
):
    blocks_m, blocks_n = tl.cdiv(outputs, BM), tl.cdiv(inputs, BN)
    group = tl.program_id(0) // (blocks_m * blocks_n)
    place = tl.program_id(0) % (blocks_m * blocks_n)
    block, column = tile_at(place, blocks_m, blocks_n, _TOGETHER)
    first, size = rows_of_group(counts_ptr, group, rows, groups, BX)
    o, i, m = block * BM + tl.arange(0, BM), column * BN + tl.arange(0, BN), tl.arange(0, BK)
    is_output, is_input = o < outputs, i < inputs
    grad_at = o[:, None] + m[None, :] * stride_gm
    x_at = m[:, None] * stride_xm + i[None, :]
    grad_ptr += first.to(tl.int64) * stride_gm
    x_ptr += first.to(tl.int64) * stride_xm
    sums = tl.zeros((BM, BN), tl.float32)
    for from_m in range(0, size, BK):
        is_row = from_m + m < size
        grad = tl.load(grad_ptr + grad_at, is_output[:, None] & is_row[None, :], 0.0)
        x = tl.load(x_ptr + x_at, is_row[:, None] & is_input[None, :], 0.0)
        sums = tl.dot(grad, x, sums, input_precision=PRECISION)
        grad_ptr += BK * stride_gm
        x_ptr += BK * stride_xm
    at = grad_weight_ptr + group.to(tl.int64) * outputs * inputs + o[:, None] * inputs + i[None, :]
    is_inside = is_output[:, None] & is_input[None, :]
    tl.store(at, sums.to(grad_weight_ptr.dtype.element_ty), is_inside)


def _config(rows: int, columns: int, dtype: torch.dtype) -> Mapping[str, int]:
    """Of products of about so many rows and columns."""
    if dtype == torch.float32:
        return {"BM": 64 if rows > 16 else 16, "BN": 64, "BK": 32, "num_warps": 4, "num_stages": 3}
    if rows <= 16:
        return {"BM": 16, "BN": 64, "BK": 128, "num_warps": 4, "num_stages": 4}
    if rows <= 64:
        return {"BM": 64, "BN": 128, "BK": 64, "num_warps": 4, "num_stages": 3}
    if columns > 128 and targets_hopper():
        return {"BM": 128, "BN": 256, "BK": 64, "num_warps": 8, "num_stages": 4}
    return {"BM": 128, "BN": 128, "BK": 64, "num_warps": 8, "num_stages": 3}


def _product(x_MK: Tensor, weight_XNK: Tensor, counts_X: Tensor) -> Tensor:
    """y of a linear layer; the last two dimensions of the weight may lie in any order."""
    (rows, inner), (groups, columns, _) = x_MK.shape, weight_XNK.shape
    x_MK = x_MK if x_MK.stride(1) == 1 else x_MK.contiguous()
    y_MN = x_MK.new_empty(rows, columns)
    config = _config(rows // groups, columns, x_MK.dtype)
    blocks_m = triton.cdiv(rows, config["BM"]) + groups + 1
    grouped_linear_kernel[(blocks_m * triton.cdiv(columns, config["BN"]),)](
        x_MK,
        weight_XNK,
        counts_X.contiguous(),
        y_MN,
        rows,
        groups,
        inner,
        columns,
        x_MK.stride(0),
        *weight_XNK.stride(),
        BX=triton.next_power_of_2(groups + 1),
        IS_EVEN=inner % config["BK"] == 0,
        PRECISION=dot_precision(x_MK.dtype),
        **config,
    )
    return y_MN


def _weight_gradient(grad_MO: Tensor, x_MI: Tensor, counts_X: Tensor) -> Tensor:
    (rows, outputs), (_, inputs), groups = grad_MO.shape, x_MI.shape, len(counts_X)
    x_MI = x_MI if x_MI.stride(1) == 1 else x_MI.contiguous()
    grad_weight = x_MI.new_empty(groups, outputs, inputs)
    config = _config(outputs, inputs, x_MI.dtype)
    blocks = triton.cdiv(outputs, config["BM"]) * triton.cdiv(inputs, config["BN"])
    grouped_weight_gradient_kernel[(groups * blocks,)](
        grad_MO,
        x_MI,
        counts_X.contiguous(),
        grad_weight,
        rows,
        groups,
        outputs,
        inputs,
        grad_MO.stride(0),
        x_MI.stride(0),
        BX=triton.next_power_of_2(groups),
        PRECISION=dot_precision(x_MI.dtype),
        **config,
    )
    return grad_weight


def _fits(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> bool:
    """Offsets within a group's matrix are int32."""
    _, *shape = zip(weight_XOI.shape, weight_XOI.stride(), strict=True)
    is_near = sum((size - 1) * stride for size, stride in shape) < 2**31
    return weight_XOI.numel() > 0 and x_MI.dtype == weight_XOI.dtype and is_near


@launched(moe.grouped_linear, _fits)
def grouped_linear(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> Tensor:
    return _product(x_MI, weight_XOI, counts_X)


@launched(
    "grouped_linear_backward", lambda grads, *args: grads[0].dtype == args[0].dtype and _fits(*args)
)
def grouped_linear_backward(
    grads: Sequence[Tensor], x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor
) -> list[Tensor]:
    grad = grads[0].contiguous()
    grad_x = _product(grad, weight_XOI.transpose(1, 2), counts_X)
    return [grad_x, _weight_gradient(grad, x_MI, counts_X)]
