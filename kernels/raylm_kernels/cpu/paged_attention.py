"""Attention over a paged cache, by itself: the block a decoder has inside."""

import torch
from torch import Tensor

from raylm_kernels.cpu.compiled import address, kernels


def causal_attention(
    q_NHD: Tensor,
    keys_LKD: Tensor,
    values_LKD: Tensor,
    block_table: Tensor,
    *,
    num_blocks: int,
    block_size: int,
    kv_bits: int = 16,
) -> Tensor:
    """The last N of L positions attend, through a paged cache in bf16 or int8 filled for the
    occasion."""
    if q_NHD.shape[-1] % 32:
        raise ValueError(f"q_NHD has heads of {q_NHD.shape[-1]}; expected a multiple of 32")
    q = (q_NHD * q_NHD.shape[-1] ** -0.5).float().contiguous()
    keys, values = (t.float().contiguous() for t in (keys_LKD, values_LKD))
    table = block_table.int().contiguous()
    tokens, heads, head_dim = q.shape
    length, kv_heads, _ = keys.shape
    out = torch.empty_like(q)
    sizes = tokens, length, heads, kv_heads, head_dim, num_blocks, block_size, kv_bits
    kernels().raylm_attention(*map(address, (q, keys, values, table)), *sizes, address(out))
    return out
