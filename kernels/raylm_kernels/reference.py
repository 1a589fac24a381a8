"""Every operation in plain PyTorch: what the compiled kernels must agree with."""

import torch

from raylm_kernels.quantize import GROUP, QuantizedWeight, dequantize_weight


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension, computed in fp32."""
    wide = x.float()
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return (normed * weight.float()).to(x.dtype)


def rope(
    x_NHD: torch.Tensor,
    positions_N: torch.Tensor,
    inv_freq: torch.Tensor,
    attention_factor: float = 1.0,
) -> torch.Tensor:
    """Turn the pairs (i, i + D/2) of every head by position * inv_freq[i]."""
    angles = positions_N.float()[:, None] * inv_freq.float()
    cos = (angles.cos() * attention_factor)[:, None, :]
    sin = (angles.sin() * attention_factor)[:, None, :]
    a, b = x_NHD.float().chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x_NHD.dtype)


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.silu(gate) * up


def quantize_activations(x_NK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 codes_NK and fp32 scales_NG, one scale per 32 values."""
    groups = x_NK.float().reshape(len(x_NK), -1, GROUP)
    largest = groups.abs().amax(-1)
    # Not `127.0 / largest`: torch multiplies by a reciprocal there, which rounds twice.
    inverse = torch.where(largest > 0, torch.full_like(largest, 127.0) / largest, 0.0)
    codes = (groups * inverse[..., None]).round().to(torch.int8)
    return codes.flatten(1), largest / 127.0


def quantized_linear(x_NK: torch.Tensor, weight: QuantizedWeight) -> torch.Tensor:
    """x W^T with both sides quantised per 32: W4A8 or W8A8, summed in fp64."""
    codes, scales = quantize_activations(x_NK)
    x = codes.view(*scales.shape, GROUP).double() * scales.double()[..., None]
    return (x.flatten(1) @ dequantize_weight(weight).double().T).float()


def paged_attention(
    q_NHD: torch.Tensor,
    keys_TKD: torch.Tensor,
    values_TKD: torch.Tensor,
    slots_L: torch.Tensor,
    positions_N: torch.Tensor,
) -> torch.Tensor:
    """Causal attention of one sequence's queries over cache slots.

    `slots_L[p]` is where position p lies in the caches; query n sees positions up to its own.
    """
    group = q_NHD.shape[1] // keys_TKD.shape[1]
    keys = keys_TKD[slots_L].float().repeat_interleave(group, dim=1)
    values = values_TKD[slots_L].float().repeat_interleave(group, dim=1)
    scores = torch.einsum("nhd,lhd->hnl", q_NHD.float(), keys) * q_NHD.shape[-1] ** -0.5
    hidden = torch.arange(len(slots_L))[None, :] > positions_N[:, None]
    weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
    return torch.einsum("hnl,lhd->nhd", weights, values)
