"""The same as grouped_linear.py from compute capability 9.0 on, for many rows in each group: tiles
come through the tensor memory accelerator, so that no thread computes an address."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from raylm_kernels.reference import moe
from raylm_kernels.triton.grouped_linear import GROUP, block_of_rows, rows_of_group, swizzled
from raylm_kernels.triton.launched import launched

_CONFIG: Mapping[str, int] = {"BM": 128, "BN": 256, "BK": 64, "num_warps": 8, "num_stages": 4}
_BM, _BN, _BK = (_CONFIG[name] for name in ("BM", "BN", "BK"))


@triton.jit
def grouped_linear_hopper_kernel(
    x_desc,
    weight_desc,
    counts_ptr,
    y_ptr,
    rows,
    groups,
    inner,
    columns,
    IS_TRANSPOSED: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BX: tl.constexpr,
    GROUP: tl.constexpr,
):
    """`inner` is a multiple of BK; a tile of the weight may reach into the next group's columns,
    which are not stored."""
    blocks_n = tl.cdiv(columns, BN)
    group, first, end, column = block_of_rows(counts_ptr, rows, groups, blocks_n, BM, BX, GROUP)
    if first >= end:
        return
    sums = tl.zeros((BM, BN), tl.float32)
    for from_k in range(0, inner, BK):
        x = x_desc.load([first, from_k])
        if IS_TRANSPOSED:
            weight = weight_desc.load([group * inner + from_k, column * BN])
        else:
            weight = weight_desc.load([group * columns + column * BN, from_k]).T
        sums = tl.dot(x, weight, sums)
    m, n = tl.arange(0, BM)[:, None], (column * BN + tl.arange(0, BN))[None, :]
    y_at = y_ptr + first.to(tl.int64) * columns + m * columns + n
    tl.store(y_at, sums.to(y_ptr.dtype.element_ty), (first + m < end) & (n < columns))


@triton.jit
def grouped_weight_gradient_hopper_kernel(
    grad_desc,
    x_desc,
    counts_ptr,
    grad_weight_ptr,
    rows,
    groups,
    outputs,
    inputs,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BX: tl.constexpr,
    GROUP: tl.constexpr,
):
    blocks_m, blocks_n = tl.cdiv(outputs, BM), tl.cdiv(inputs, BN)
    group = tl.program_id(0) // (blocks_m * blocks_n)
    block, column = swizzled(tl.program_id(0) % (blocks_m * blocks_n), blocks_m, blocks_n, GROUP)
    first, size = rows_of_group(counts_ptr, group, rows, groups, BX)
    sums = tl.zeros((BM, BN), tl.float32)
    whole = size // BK * BK
    for from_m in range(first, first + whole, BK):
        grad = grad_desc.load([from_m, block * BM])
        sums = tl.dot(grad.T, x_desc.load([from_m, column * BN]), sums)
    if whole < size:
        is_row = (whole + tl.arange(0, BK) < size)[:, None]
        grad = grad_desc.load([first + whole, block * BM])
        x = x_desc.load([first + whole, column * BN])
        grad, x = tl.where(is_row, grad, 0.0), tl.where(is_row, x, 0.0)
        sums = tl.dot(grad.T, x, sums)
    o, i = (block * BM + tl.arange(0, BM))[:, None], (column * BN + tl.arange(0, BN))[None, :]
    at = grad_weight_ptr + group.to(tl.int64) * outputs * inputs + o * inputs + i
    tl.store(at, sums.to(grad_weight_ptr.dtype.element_ty), (o < outputs) & (i < inputs))


def _tiles(tensor: Tensor, *block: int) -> TensorDescriptor:
    """Of a tensor that begins at a multiple of 16 bytes."""
    aligned = tensor if tensor.data_ptr() % 16 == 0 else tensor.clone()
    return TensorDescriptor.from_tensor(aligned, list(block))


def _product(x_MK: Tensor, weight_XOI: Tensor, counts_X: Tensor, *, is_transposed: bool) -> Tensor:
    """x W^T, or x W."""
    (rows, inner), groups = x_MK.shape, len(counts_X)
    columns = weight_XOI.shape[2 if is_transposed else 1]
    y_MN = x_MK.new_empty(rows, columns)
    blocks_m = triton.cdiv(rows, _BM) + groups
    grouped_linear_hopper_kernel[(blocks_m * triton.cdiv(columns, _BN),)](
        _tiles(x_MK, _BM, _BK),
        _tiles(weight_XOI.flatten(0, 1), *((_BK, _BN) if is_transposed else (_BN, _BK))),
        counts_X.contiguous(),
        y_MN,
        rows,
        groups,
        inner,
        columns,
        IS_TRANSPOSED=is_transposed,
        BX=triton.next_power_of_2(groups),
        GROUP=GROUP,
        **_CONFIG,
    )
    return y_MN


def _weight_gradient(grad_MO: Tensor, x_MI: Tensor, counts_X: Tensor) -> Tensor:
    (rows, outputs), inputs, groups = grad_MO.shape, x_MI.shape[1], len(counts_X)
    grad_weight = x_MI.new_empty(groups, outputs, inputs)
    blocks = triton.cdiv(outputs, _BM) * triton.cdiv(inputs, _BN)
    grouped_weight_gradient_hopper_kernel[(groups * blocks,)](
        _tiles(grad_MO, _BK, _BM),
        _tiles(x_MI, _BK, _BN),
        counts_X.contiguous(),
        grad_weight,
        rows,
        groups,
        outputs,
        inputs,
        BX=triton.next_power_of_2(groups),
        GROUP=GROUP,
        **_CONFIG,
    )
    return grad_weight


def _fits(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> bool:
    """Whole tiles along the widths, 16-byte rows, and enough rows to fill the tiles."""
    groups, outputs, inputs = weight_XOI.shape
    is_plain = x_MI.is_contiguous() and weight_XOI.is_contiguous()
    is_whole = outputs * inputs > 0 and outputs % _BK == inputs % _BK == 0
    is_near = outputs * inputs < 2**31 and groups * outputs < 2**31
    is_one_dtype = x_MI.dtype == weight_XOI.dtype
    is_many = len(x_MI) > 64 * groups
    return is_plain and is_whole and is_near and is_one_dtype and is_many


_HOPPER: Mapping[str, Any] = {
    "dtypes": (torch.bfloat16, torch.float16),
    "capability": (9, 0),
    "name": "triton_hopper",
    "priority": 2,
}


@launched(moe.grouped_linear, _fits, **_HOPPER)
def grouped_linear(x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor) -> Tensor:
    return _product(x_MI, weight_XOI, counts_X, is_transposed=False)


@launched(
    "grouped_linear_backward",
    lambda grads, *args: grads[0].dtype == args[0].dtype and _fits(*args),
    **_HOPPER,
)
def grouped_linear_backward(
    grads: Sequence[Tensor], x_MI: Tensor, weight_XOI: Tensor, counts_X: Tensor
) -> list[Tensor]:
    grad = grads[0].contiguous()
    grad_x = _product(grad, weight_XOI, counts_X, is_transposed=True)
    return [grad_x, _weight_gradient(grad, x_MI, counts_X)]
