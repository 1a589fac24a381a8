"""A linear layer over packed int4 weights, which are made 16-bit floats in registers."""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.reference import linear
from raylm_kernels.reference.linear import PACKED_INPUTS
from raylm_kernels.triton.capacity import gpu_of
from raylm_kernels.triton.dequantize import centred_nibbles, scaled
from raylm_kernels.triton.launched import dot_precision, launched
from raylm_kernels.triton.splits import add_splits
from raylm_kernels.triton.tile_order import tile_of
from raylm_kernels.triton.weight_only_tiling import Tiling, tiling


@triton.jit
def _halves(pair, DTYPE: tl.constexpr):
    """The two numbers of a 32-bit word."""
    first = (pair & 0xFFFF).to(tl.int16).to(DTYPE, bitcast=True)
    return first, (pair >> 16).to(tl.int16).to(DTYPE, bitcast=True)


@triton.jit
def _group_of(block, PLANE: tl.constexpr, GROUP: tl.constexpr):
    """Of a plane of 32 inputs; planes of one group ask for its grid in the same words."""
    if 128 % GROUP == 0:
        group = block * (128 // GROUP) + PLANE * 32 // GROUP
    elif GROUP % 128 == 0:
        group = block // (GROUP // 128)
    else:
        group = (block * 128 + PLANE * 32) // GROUP
    return group


@triton.jit
def packed_int4_linear_kernel(
    x_ptr,
    words_ptr,
    grids_ptr,
    y_ptr,
    M,
    N,
    K,
    BLOCKS,
    SPLIT_BLOCKS,
    GROUP: tl.constexpr,
    GRID_DTYPE: tl.constexpr,
    IS_WHOLE: tl.constexpr,
    HAS_WEIGHT_FIRST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """y[s, M, N] of split s over the blocks of inputs. With `HAS_WEIGHT_FIRST` the weight is the
    left factor, which tensor cores take from registers."""
    DTYPE: tl.constexpr = x_ptr.dtype.element_ty
    row, column = tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    split = tl.program_id(1)
    m, n = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, 32)
    x_at = x_ptr + m.to(tl.int64)[:, None] * K + inner[None, :]
    words_at = words_ptr + n.to(tl.int64)[:, None] * (BLOCKS * 32) + inner[None, :]
    acc = tl.zeros((BLOCK_N, BLOCK_M) if HAS_WEIGHT_FIRST else (BLOCK_M, BLOCK_N), tl.float32)
    for block in range(split * SPLIT_BLOCKS, tl.minimum(BLOCKS, (split + 1) * SPLIT_BLOCKS)):
        words = tl.load(words_at + block * 32, n[:, None] < N, 0)
        codes = centred_nibbles(words, DTYPE)
        for plane in tl.static_range(4):
            k = block * 128 + plane * 32
            inside = m[:, None] < M if IS_WHOLE else (m[:, None] < M) & (k < K)
            x = tl.load(x_at + k, inside, 0.0)
            known = n < N if IS_WHOLE else (n < N) & (k < K)
            pair = tl.load(grids_ptr + _group_of(block, plane, GROUP) * N + n, known, 0)
            scale, offset = _halves(pair, GRID_DTYPE)
            w = scaled(codes[plane], scale[:, None], offset[:, None], DTYPE)
            if HAS_WEIGHT_FIRST:
                acc = tl.dot(w, x.T, acc, input_precision=PRECISION)
            else:
                acc = tl.dot(x, w.T, acc, input_precision=PRECISION)
    if HAS_WEIGHT_FIRST:
        acc = acc.T
    y_at = y_ptr + (split * M + m).to(tl.int64)[:, None] * N + n[None, :]
    tl.store(y_at, acc.to(y_ptr.dtype.element_ty), (m[:, None] < M) & (n[None, :] < N))


@triton.jit
def unpack_kernel(
    words_ptr,
    grids_ptr,
    weight_ptr,
    N,
    K,
    BLOCKS,
    GROUP: tl.constexpr,
    GRID_DTYPE: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    DTYPE: tl.constexpr = weight_ptr.dtype.element_ty
    block = tl.program_id(0) % BLOCKS
    n = tl.program_id(0) // BLOCKS * BLOCK_N + tl.arange(0, BLOCK_N)
    inner = tl.arange(0, 32)
    words_at = words_ptr + n.to(tl.int64)[:, None] * (BLOCKS * 32) + block * 32 + inner[None, :]
    codes = centred_nibbles(tl.load(words_at, n[:, None] < N, 0), DTYPE)
    for plane in tl.static_range(4):
        k = block * 128 + plane * 32
        known = (n < N) & (k < K)
        pair = tl.load(grids_ptr + _group_of(block, plane, GROUP) * N + n, known, 0)
        scale, offset = _halves(pair, GRID_DTYPE)
        w = scaled(codes[plane], scale[:, None], offset[:, None], DTYPE)
        at = n.to(tl.int64)[:, None] * K + k + inner[None, :]
        tl.store(weight_ptr + at, w, known[:, None])


WHOLE_FROM = 1024
"""Rows from which making the weight whole, for a product that is cuBLAS's own, is the faster."""


_GRID_DTYPES = {torch.float16: tl.float16, torch.bfloat16: tl.bfloat16}


def _takes(x: Tensor, packed: Tensor, grids: Tensor) -> bool:
    return x.numel() > 0 and packed.numel() > 0 and grids.dtype in _GRID_DTYPES


@launched(linear.packed_int4_linear, _takes)
def packed_int4_linear(x: Tensor, packed: Tensor, grids: Tensor) -> Tensor:
    rows, bits = x.numel() // x.shape[-1], 8 * x.dtype.itemsize
    if bits == 16 and rows >= WHOLE_FROM:
        return x @ unpacked(packed, grids, x.shape[-1], x.dtype).t()
    return tiled(x, packed, grids, tiling(rows, len(packed), x.shape[-1], bits, gpu_of(x)))


def tiled(x: Tensor, packed: Tensor, grids: Tensor, tiles: Tiling) -> Tensor:
    inputs, outputs = x.shape[-1], packed.shape[0]
    rows = x.numel() // inputs
    words, pairs = packed.contiguous().view(torch.int16), grids.contiguous().view(torch.int32)
    blocks = words.shape[1] // 32
    y = x.new_empty(*x.shape[:-1], outputs)
    parts = y if tiles.splits == 1 else x.new_empty(tiles.splits, *y.shape, dtype=torch.float32)
    programs = triton.cdiv(rows, tiles.block_m) * triton.cdiv(outputs, tiles.block_n)
    packed_int4_linear_kernel[(programs, tiles.splits)](
        x.contiguous(),
        words,
        pairs,
        parts,
        rows,
        outputs,
        inputs,
        blocks,
        triton.cdiv(blocks, tiles.splits),
        GROUP=inputs // grids.shape[0],
        GRID_DTYPE=_GRID_DTYPES[grids.dtype],
        IS_WHOLE=inputs % PACKED_INPUTS == 0,
        HAS_WEIGHT_FIRST=tiles.has_weight_first,
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        PRECISION=dot_precision(x.dtype),
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return y if tiles.splits == 1 else add_splits(parts, y)


@launched(
    "packed_int4_linear_backward",
    lambda grads, x, packed, grids: grads[0].numel() > 0 and _takes(x, packed, grids),
)
def packed_int4_linear_backward(
    grads: Sequence[Tensor], x: Tensor, packed: Tensor, grids: Tensor
) -> list[Tensor]:
    """The weight is made whole for a product that is cuBLAS's own."""
    return [grads[0].to(x.dtype) @ unpacked(packed, grids, x.shape[-1], x.dtype)]


def unpacked(packed: Tensor, grids: Tensor, inputs: int, dtype: torch.dtype) -> Tensor:
    words, pairs = packed.contiguous().view(torch.int16), grids.contiguous().view(torch.int32)
    outputs, blocks = len(words), words.shape[1] // 32
    weight = packed.new_empty(outputs, inputs, dtype=dtype)
    unpack_kernel[(blocks * triton.cdiv(outputs, 64),)](
        words,
        pairs,
        weight,
        outputs,
        inputs,
        blocks,
        GROUP=inputs // len(grids),
        GRID_DTYPE=_GRID_DTYPES[grids.dtype],
        BLOCK_N=64,
        num_warps=4,
    )
    return weight
