"""Rows normalised and quantised in one pass. The factor that normalises a row changes no code: it
is left to the scales."""

import torch
import triton
import triton.language as tl
from torch import Tensor

from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import norm
from raylm_kernels.triton.launched import launched
from raylm_kernels.triton.norm import LONGEST, tile
from raylm_kernels.triton.quantize import int8_codes
from raylm_kernels.triton.rows import as_rows


@triton.jit
def norm_int8_kernel(
    x_ptr,
    weight_ptr,
    codes_ptr,
    scales_ptr,
    rows,
    width,
    x_stride,
    eps,
    ROWS: tl.constexpr,
    GROUPS: tl.constexpr,
    GROUP: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None, None]
    group = tl.arange(0, GROUPS)[None, :, None]
    column = group * GROUP + tl.arange(0, GROUP)[None, None, :]
    inside = (row < rows) & (column < width)
    x = tl.load(x_ptr + row * x_stride + column, inside, other=0.0).to(tl.float32)
    square = tl.sum(tl.sum(x * x, 2, keep_dims=True), 1, keep_dims=True)
    x *= tl.load(weight_ptr + column, column < width, other=0.0).to(tl.float32)
    codes, scales = int8_codes(x, 2)
    codes = tl.where(square < float("inf"), codes, 0)
    tl.store(codes_ptr + row * width + column, codes, inside)
    scales *= tl.rsqrt(square / width + eps)
    has_scale = (row < rows) & (group * GROUP < width)
    tl.store(scales_ptr + row * (width // GROUP) + group, scales, has_scale)


@launched(norm.rms_norm_int8, lambda x, weight, eps: x.numel() > 0 and len(weight) <= LONGEST)
def rms_norm_int8(x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    width = len(weight)
    codes = torch.empty(x.shape, dtype=torch.int8, device=x.device)
    scales = torch.empty((*x.shape[:-1], width // GROUP), dtype=torch.float32, device=x.device)
    x = as_rows(x)
    rows, block, warps = tile(width)
    norm_int8_kernel[(triton.cdiv(len(x), rows),)](
        x,
        weight.contiguous(),
        codes,
        scales,
        len(x),
        width,
        x.stride(0),
        eps,
        ROWS=rows,
        GROUPS=triton.cdiv(block, GROUP),
        GROUP=GROUP,
        num_warps=warps,
    )
    return codes, scales
