"""What a decoder does to activations between its matrices: rotate and quantise."""

import torch
from torch import Tensor

from raylm_kernels.cpu.compiled import address, compiled, kernels
from raylm_kernels.quantize import GROUP
from raylm_kernels.reference import quantize
from raylm_kernels.reference import rope as rotary


@compiled(quantize.quantize_int8, lambda x: x.numel() > 0)
def quantize_int8(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.contiguous()
    width = x.shape[-1]
    codes = x.new_empty(x.shape, dtype=torch.int8)
    scales = x.new_empty(*x.shape[:-1], width // GROUP)
    kernels().raylm_quantize(address(x), x.numel() // width, width, address(codes), address(scales))
    return codes, scales


@compiled(rotary.rope, lambda x, positions, inv_freq, factor: x.numel() > 0)
def rope(x_NHD: Tensor, positions_N: Tensor, inv_freq: Tensor, factor: float) -> Tensor:
    y = x_NHD.clone(memory_format=torch.contiguous_format)
    positions, frequencies = positions_N.int().contiguous(), inv_freq.float().contiguous()
    kernels().raylm_rope(address(y), address(positions), address(frequencies), factor, *y.shape)
    return y
