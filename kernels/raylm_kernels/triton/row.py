"""Linear layers of a single row, as a decode step of one sequence has them: bound by the bytes of
the weights. What stands before and after a matrix is computed with it, by each program again."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import decoder, fused, norm
from raylm_kernels.triton.activation import activated
from raylm_kernels.triton.angle import cos_sin
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.overlap import let_next_begin, overlap, wait_for_others

_IN_FLIGHT = 2**14  # bytes of weights of a step; the next one's are under way, too


@triton.jit
def _by_eight(x):
    """Sums of eight neighbours of the last dimension, which one thread has: threads meet once, when
    all is added, and until then each may have many reads under way."""
    return tl.sum(tl.reshape(x, [x.shape[0], x.shape[1] // 8, 8]), 2)


@triton.jit
def _weight(row_ptrs, is_row, at, inputs):
    return tl.load(row_ptrs + at[None, :], is_row[:, None] & (at < inputs)[None, :], other=0.0)


@triton.jit
def _read(x_ptr, norm_ptr, at, inputs, squares):
    """Numbers of x, and with `norm_ptr` these times the norm's weight and their squares added."""
    x = tl.load(x_ptr + at, at < inputs, other=0.0).to(tl.float32)
    if norm_ptr is not None:
        squares += tl.sum(tl.reshape(x * x, [x.shape[0] // 8, 8]), 1)
        x *= tl.load(norm_ptr + at, at < inputs, other=0.0).to(tl.float32)
    return x, squares


@triton.jit
def row_linear_kernel(
    x_ptr, norm_ptr, weight_ptr, bias_ptr, residual_ptr, y_ptr, eps, outputs, inputs, stride,
    ACTIVATION: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    """Of x, or with `norm_ptr` of rms_norm(x)."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_row, at = row < outputs, tl.arange(0, DEPTH)
    weight_ptrs = weight_ptr + row.to(tl.int64)[:, None] * stride
    weight = _weight(weight_ptrs, is_row, at, inputs)
    let_next_begin(OVERLAPS)
    wait_for_others(OVERLAPS)
    sums = tl.zeros([ROWS, DEPTH // 8], tl.float32)
    squares = tl.zeros([DEPTH // 8], tl.float32)
    for _ in range(0, inputs, DEPTH):
        next_weight = _weight(weight_ptrs, is_row, at + DEPTH, inputs)
        x, squares = _read(x_ptr, norm_ptr, at, inputs, squares)
        sums += _by_eight(weight.to(tl.float32) * x[None, :])
        weight = next_weight
        at += DEPTH
    y = tl.sum(sums, 1)
    if norm_ptr is not None:
        y *= tl.rsqrt(tl.sum(squares, 0) / inputs + eps)
    if bias_ptr is not None:
        y += tl.load(bias_ptr + row, is_row, other=0.0).to(tl.float32)
    y = activated(y, ACTIVATION)
    if residual_ptr is not None:
        y += tl.load(residual_ptr + row, is_row, other=0.0).to(tl.float32)
    tl.store(y_ptr + row, y.to(y_ptr.dtype.element_ty), is_row)


@triton.jit
def _both_products(
    x_ptr, norm_ptr, eps, first_ptrs, second_ptrs, is_row, inputs,
    ROWS: tl.constexpr, DEPTH: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    """Of rms_norm(x) with rows of two weights."""
    at = tl.arange(0, DEPTH)
    first = _weight(first_ptrs, is_row, at, inputs)
    second = _weight(second_ptrs, is_row, at, inputs)
    let_next_begin(OVERLAPS)
    wait_for_others(OVERLAPS)
    first_sums = tl.zeros([ROWS, DEPTH // 8], tl.float32)
    second_sums = tl.zeros([ROWS, DEPTH // 8], tl.float32)
    squares = tl.zeros([DEPTH // 8], tl.float32)
    for _ in range(0, inputs, DEPTH):
        next_first = _weight(first_ptrs, is_row, at + DEPTH, inputs)
        next_second = _weight(second_ptrs, is_row, at + DEPTH, inputs)
        x, squares = _read(x_ptr, norm_ptr, at, inputs, squares)
        first_sums += _by_eight(first.to(tl.float32) * x[None, :])
        second_sums += _by_eight(second.to(tl.float32) * x[None, :])
        first, second = next_first, next_second
        at += DEPTH
    scale = tl.rsqrt(tl.sum(squares, 0) / inputs + eps)
    return tl.sum(first_sums, 1) * scale, tl.sum(second_sums, 1) * scale


@triton.jit
def row_norm_gated_kernel(
    x_ptr, norm_ptr, gate_ptr, up_ptr, y_ptr, eps, outputs, inputs, gate_stride, up_stride,
    ACTIVATION: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    is_row = row < outputs
    gate_ptrs = gate_ptr + row.to(tl.int64)[:, None] * gate_stride
    up_ptrs = up_ptr + row.to(tl.int64)[:, None] * up_stride
    gate, up = _both_products(
        x_ptr, norm_ptr, eps, gate_ptrs, up_ptrs, is_row, inputs, ROWS, DEPTH, OVERLAPS
    )
    y = activated(gate, ACTIVATION) * up
    tl.store(y_ptr + row, y.to(y_ptr.dtype.element_ty), is_row)


@triton.jit
def row_norm_rope_kernel(
    x_ptr, norm_ptr, weight_ptr, bias_ptr, position_ptr, inv_freq_ptr, q_ptr, keys_ptr, values_ptr,
    slot_ptr, factor, eps, heads, kv_heads, inputs, stride,
    stride_ks, stride_kh, stride_vs, stride_vh,
    HALF: tl.constexpr, ROWS: tl.constexpr, DEPTH: tl.constexpr, OVERLAPS: tl.constexpr,
):  # fmt: skip
    """A program has pairs of one head, whose halves lie apart."""
    BLOCKS: tl.constexpr = (HALF + ROWS - 1) // ROWS
    head = tl.program_id(0) // BLOCKS
    pair = tl.program_id(0) % BLOCKS * ROWS + tl.arange(0, ROWS)
    is_pair = pair < HALF
    row = head.to(tl.int64) * 2 * HALF + pair
    first_ptrs = weight_ptr + row[:, None] * stride
    a, b = _both_products(
        x_ptr, norm_ptr, eps, first_ptrs, first_ptrs + HALF * stride, is_pair, inputs,
        ROWS, DEPTH, OVERLAPS,
    )  # fmt: skip
    if bias_ptr is not None:
        a += tl.load(bias_ptr + row, is_pair, other=0.0).to(tl.float32)
        b += tl.load(bias_ptr + HALF + row, is_pair, other=0.0).to(tl.float32)
    # Rounded as between the ops that this is made of.
    a = a.to(q_ptr.dtype.element_ty).to(tl.float32)
    b = b.to(q_ptr.dtype.element_ty).to(tl.float32)
    if head < heads + kv_heads:
        frequency = tl.load(inv_freq_ptr + pair, is_pair, other=0.0).to(tl.float32)
        cos, sin = cos_sin(tl.load(position_ptr).to(tl.float32) * frequency)
        cos, sin = cos * factor, sin * factor
        a, b = a * cos - b * sin, b * cos + a * sin
    if head < heads:
        tl.store(q_ptr + row, a.to(q_ptr.dtype.element_ty), is_pair)
        tl.store(q_ptr + HALF + row, b.to(q_ptr.dtype.element_ty), is_pair)
    else:
        slot = tl.load(slot_ptr).to(tl.int64)
        if head < heads + kv_heads:
            to = keys_ptr + slot * stride_ks + (head - heads).to(tl.int64) * stride_kh + pair
        else:
            kv_head = (head - heads - kv_heads).to(tl.int64)
            to = values_ptr + slot * stride_vs + kv_head * stride_vh + pair
        tl.store(to, a.to(keys_ptr.dtype.element_ty), is_pair)
        tl.store(to + HALF, b.to(keys_ptr.dtype.element_ty), is_pair)


def _is_row(x: Tensor) -> bool:
    return x.ndim > 0 and 0 < x.numel() == x.shape[-1]


def _reads(x: Tensor, *weights: Tensor) -> bool:
    return _is_row(x) and all(weight.stride(1) == 1 and len(weight) for weight in weights)


@launched(
    fused.linear_add,
    lambda x, weight, bias, residual: _reads(x, weight) and residual.dtype == x.dtype,
    name="triton_row",
    priority=2,
)
def linear_add(x: Tensor, weight: Tensor, bias: Tensor | None, residual: Tensor) -> Tensor:
    return _linear(x, None, weight, bias, residual, "none", 0.0)


@launched(
    norm.norm_linear,
    lambda x, norm, weight, bias, activation, eps: _reads(x, weight),
    name="triton_row",
    priority=2,
)
def norm_linear(
    x: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    activation: str,
    eps: float,
) -> Tensor:
    return _linear(x, norm_weight, weight, bias, None, activation, eps)


def _linear(
    x: Tensor,
    norm_weight: Tensor | None,
    weight: Tensor,
    bias: Tensor | None,
    residual: Tensor | None,
    activation: str,
    eps: float,
) -> Tensor:
    outputs, inputs = weight.shape
    y = x.new_empty(*x.shape[:-1], outputs)
    beside = (None if t is None else t.contiguous() for t in (bias, residual))
    rows, depth = _tile(outputs, inputs, weight.dtype)
    row_linear_kernel[(triton.cdiv(outputs, rows),)](
        x.contiguous(), None if norm_weight is None else norm_weight.contiguous(), weight, *beside,
        y, eps, outputs, inputs, weight.stride(0),
        ACTIVATION=activation, ROWS=rows, DEPTH=depth, num_warps=4, **overlap(x),
    )  # fmt: skip
    return y


@launched(
    decoder.norm_gated_linear,
    lambda x, norm, gate, up, activation, eps: _reads(x, gate, up),
)
def norm_gated_linear(
    x: Tensor,
    norm_weight: Tensor,
    gate_weight: Tensor,
    up_weight: Tensor,
    activation: str,
    eps: float,
) -> Tensor:
    outputs, inputs = gate_weight.shape
    y = x.new_empty(*x.shape[:-1], outputs)
    rows, depth = _tile(2 * outputs, inputs, gate_weight.dtype)
    rows //= 2
    row_norm_gated_kernel[(triton.cdiv(outputs, rows),)](
        x.contiguous(), norm_weight.contiguous(), gate_weight, up_weight, y, eps, outputs, inputs,
        gate_weight.stride(0), up_weight.stride(0),
        ACTIVATION=activation, ROWS=rows, DEPTH=depth, num_warps=4, **overlap(x),
    )  # fmt: skip
    return y


def _stores(x: Tensor, norm: Tensor, weight: Tensor, *others: Tensor) -> bool:
    _, _, _, keys, values, *_ = others
    is_alike = keys.dtype == values.dtype and keys.stride(2) == values.stride(2) == 1
    return _reads(x, weight) and is_alike


@launched(decoder.norm_linear_rope_and_store, _stores)
def norm_linear_rope_and_store(
    x_NE: Tensor,
    norm_weight: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    positions_N: Tensor,
    inv_freq: Tensor,
    keys_SKD: Tensor,
    values_SKD: Tensor,
    slots_N: Tensor,
    factor: float,
    eps: float,
) -> Tensor:
    outputs, inputs = weight.shape
    kv_heads, size = keys_SKD.shape[1:]
    heads = outputs // size - 2 * kv_heads
    q = x_NE.new_empty(1, heads, size)
    rows, depth = _tile(outputs, inputs, weight.dtype)
    rows //= 2
    row_norm_rope_kernel[((heads + 2 * kv_heads) * triton.cdiv(size // 2, rows),)](
        x_NE.contiguous(), norm_weight.contiguous(), weight,
        None if bias is None else bias.contiguous(), positions_N, inv_freq.contiguous(),
        q, keys_SKD, values_SKD, slots_N, factor, eps, heads, kv_heads, inputs, weight.stride(0),
        *keys_SKD.stride()[:2], *values_SKD.stride()[:2],
        HALF=size // 2, ROWS=rows, DEPTH=depth, num_warps=4, **overlap(x_NE),
    )  # fmt: skip
    return q


def _tile(outputs: int, inputs: int, dtype: torch.dtype) -> tuple[int, int]:
    """Rows of a program and how much of them it reads at once: the more programs, the fewer
    outputs there are, for they all run at once."""
    rows = 4 if outputs <= 4096 else 8
    depth = 1 << (inputs - 1).bit_length()
    return rows, max(16, min(depth, _IN_FLIGHT // dtype.itemsize // rows))
