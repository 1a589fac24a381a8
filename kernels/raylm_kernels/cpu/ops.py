"""The compiled building blocks one by one, over fp32 tensors; `reference` is their oracle."""

from ctypes import CDLL

import torch

from raylm_kernels.cpu.build import best_isa, library
from raylm_kernels.quantize import GROUP


def rms_norm(
    x_NH: torch.Tensor, weight_H: torch.Tensor, eps: float, *, isa: str | None = None
) -> torch.Tensor:
    x, weight = _fp32(x_NH), _fp32(weight_H)
    y = torch.empty_like(x)
    pointers = x.data_ptr(), weight.data_ptr()
    _library(isa).raylm_rms_norm(*pointers, *x.shape, eps, y.data_ptr())
    return y


def quantize_activations(
    x_NK: torch.Tensor, *, isa: str | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 codes_NK and fp32 scales_NG, one scale per 32 values."""
    x = _fp32(x_NK)
    codes = torch.empty(x.shape, dtype=torch.int8)
    scales = torch.empty(len(x), x.shape[1] // GROUP)
    _library(isa).raylm_quantize(x.data_ptr(), *x.shape, codes.data_ptr(), scales.data_ptr())
    return codes, scales


def rope(
    x_NHD: torch.Tensor,
    positions_N: torch.Tensor,
    inv_freq: torch.Tensor,
    attention_factor: float = 1.0,
    *,
    isa: str | None = None,
) -> torch.Tensor:
    y, positions, frequencies = _fp32(x_NHD).clone(), positions_N.int(), _fp32(inv_freq)
    pointers = y.data_ptr(), positions.data_ptr(), frequencies.data_ptr()
    _library(isa).raylm_rope(*pointers, attention_factor, *y.shape)
    return y


def swiglu(gate: torch.Tensor, up: torch.Tensor, *, isa: str | None = None) -> torch.Tensor:
    """silu(gate) * up; the number of elements is a multiple of 16."""
    gate, up = _fp32(gate), _fp32(up)
    y = torch.empty_like(gate)
    _library(isa).raylm_swiglu(gate.data_ptr(), up.data_ptr(), gate.numel(), y.data_ptr())
    return y


def causal_attention(
    q_NHD: torch.Tensor,
    keys_LKD: torch.Tensor,
    values_LKD: torch.Tensor,
    block_table: torch.Tensor,
    *,
    num_blocks: int,
    block_size: int,
    isa: str | None = None,
) -> torch.Tensor:
    """The last N of L positions attend, through a paged bf16 cache filled for the occasion."""
    q = _fp32(q_NHD * q_NHD.shape[-1] ** -0.5)
    keys, values, table = _fp32(keys_LKD), _fp32(values_LKD), block_table.int()
    tokens, heads, head_dim = q.shape
    length, kv_heads, _ = keys.shape
    out = torch.empty_like(q)
    pointers = (t.data_ptr() for t in (q, keys, values, table))
    sizes = tokens, length, heads, kv_heads, head_dim, num_blocks, block_size
    _library(isa).raylm_attention(*pointers, *sizes, out.data_ptr())
    return out


def _library(isa: str | None) -> CDLL:
    return library(isa or best_isa())


def _fp32(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to(torch.float32).contiguous()
