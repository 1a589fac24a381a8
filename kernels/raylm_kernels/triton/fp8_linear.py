"""A linear layer in fp8: tiles by TMA, scales where the sums are stored."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.tools.tensor_descriptor import TensorDescriptor

from raylm_kernels.reference import fp8_linear as reference
from raylm_kernels.reference.fp8_linear import FP8, FP8_MAX
from raylm_kernels.triton.capacity import Gpu, gpu_of, programs_at_once
from raylm_kernels.triton.gemm import contiguous
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.quantize import largest, to_fp8
from raylm_kernels.triton.tile_order import tile_of

_FP8_MAX = tl.constexpr(FP8_MAX)
_CAPABILITY = (8, 9)


@triton.jit
def fp8_linear_kernel(
    x_tiles,
    weight_tiles,
    x_scales_ptr,
    weight_scales_ptr,
    bias_ptr,
    y_ptr,
    M,
    N,
    K,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    PROGRAMS: tl.constexpr,
):
    """Each program takes every `PROGRAMS`th tile of y, and loads the next one's while it stores."""
    tiles = tl.cdiv(M, BLOCK_M) * tl.cdiv(N, BLOCK_N)
    for place in tl.range(tl.program_id(0), tiles, PROGRAMS, flatten=True):
        row, column = tile_of(place, M, N, BLOCK_M, BLOCK_N)
        acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        for k in range(tl.cdiv(K, BLOCK_K)):
            x = x_tiles.load([row, k * BLOCK_K])
            weight = weight_tiles.load([column, k * BLOCK_K])
            acc = tl.dot(x, weight.T, acc)
        m, n = row + tl.arange(0, BLOCK_M), column + tl.arange(0, BLOCK_N)
        x_scales = tl.load(x_scales_ptr + m, m < M, 0.0).to(tl.float32)
        weight_scales = tl.load(weight_scales_ptr + n, n < N, 0.0).to(tl.float32)
        y = acc * x_scales[:, None] * weight_scales[None, :]
        if bias_ptr is not None:
            y += tl.load(bias_ptr + n, n < N, 0.0).to(tl.float32)[None, :]
        y_at = y_ptr + m.to(tl.int64)[:, None] * N + n[None, :]
        tl.store(y_at, y.to(y_ptr.dtype.element_ty), (m[:, None] < M) & (n[None, :] < N))


class Config(NamedTuple):
    block_m: int
    block_n: int
    block_k: int
    warps: int
    stages: int


def config(rows: int, inputs: int, gpu: Gpu) -> Config:
    if not gpu.is_hopper:
        return Config(64 if rows <= 64 else 128, 128, 64, 4 if rows <= 64 else 8, 3)
    if rows <= 64:
        return Config(64, 64, 128 if inputs < 256 else 256, 4, 4)
    if rows <= 128:
        return Config(128, 64, 128, 4, 4)
    return Config(128, 256, 128, 8, 3)


def _takes(
    x: Tensor,
    x_scales: Tensor,
    weight: Tensor,
    weight_scales: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype,
) -> bool:
    """TMA wants rows of whole 16 bytes."""
    return x.numel() > 0 and weight.numel() > 0 and x.shape[-1] % 16 == 0


@launched(reference.fp8_linear, _takes, dtypes=[FP8], capability=_CAPABILITY)
def fp8_linear(
    x: Tensor,
    x_scales: Tensor,
    weight: Tensor,
    weight_scales: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype,
) -> Tensor:
    outputs, inputs = weight.shape
    x_MK = x.reshape(-1, inputs).contiguous()
    rows = len(x_MK)
    tiles = config(rows, inputs, gpu_of(x))
    y = x.new_empty(*x.shape[:-1], outputs, dtype=dtype)
    count = triton.cdiv(rows, tiles.block_m) * triton.cdiv(outputs, tiles.block_n)
    programs = min(count, programs_at_once(x))
    fp8_linear_kernel[(programs,)](
        _tiles_of(x_MK, tiles.block_m, tiles.block_k),
        _tiles_of(weight.contiguous(), tiles.block_n, tiles.block_k),
        x_scales.contiguous(),
        weight_scales.contiguous(),
        contiguous(bias),
        y,
        rows,
        outputs,
        inputs,
        BLOCK_M=tiles.block_m,
        BLOCK_N=tiles.block_n,
        BLOCK_K=tiles.block_k,
        PROGRAMS=programs,
        num_warps=tiles.warps,
        num_stages=tiles.stages,
    )
    return y


def _tiles_of(codes: Tensor, rows: int, width: int) -> TensorDescriptor:
    """TMA reads from even addresses alone."""
    even = codes if codes.data_ptr() % 16 == 0 else codes.clone()
    return TensorDescriptor.from_tensor(even, [rows, width])


@triton.jit
def quantize_fp8_rows_kernel(x_ptr, codes_ptr, scales_ptr, width, BLOCK: tl.constexpr):
    x_at = x_ptr + tl.program_id(0).to(tl.int64) * width
    codes_at = codes_ptr + tl.program_id(0).to(tl.int64) * width
    most = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        x = tl.load(x_at + at, at < width, 0.0).to(tl.float32)
        most = tl.maximum(most, tl.abs(x), propagate_nan=tl.PropagateNan.ALL)
    top = tl.sum(largest(most, 0), 0)  # of the one that there is
    factor = tl.where(top > 0, tl.div_rn(_FP8_MAX, tl.where(top > 0, top, 1.0)), 0.0)
    for start in range(0, width, BLOCK):
        at = start + tl.arange(0, BLOCK)
        scaled = tl.load(x_at + at, at < width, 0.0).to(tl.float32) * factor
        codes = tl.clamp(scaled, -_FP8_MAX, _FP8_MAX, propagate_nan=tl.PropagateNan.ALL)
        tl.store(codes_at + at, to_fp8(codes), at < width)
    tl.store(scales_ptr + tl.program_id(0), tl.div_rn(top, _FP8_MAX))


@launched(reference.quantize_fp8_rows, lambda x: x.numel() > 0, capability=_CAPABILITY)
def quantize_fp8_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.contiguous()
    codes = torch.empty_like(x, dtype=FP8)
    scales = x.new_empty(x.shape[:-1], dtype=torch.float32)
    width = x.shape[-1]
    block = min(triton.next_power_of_2(width), 8192)
    quantize_fp8_rows_kernel[(scales.numel(),)](
        x, codes, scales, width, BLOCK=block, num_warps=min(max(block // 1024, 1), 8)
    )
    return codes, scales
