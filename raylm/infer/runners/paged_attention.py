"""Attention over a paged cache in plain torch: the past is gathered through the block tables.

Shapes: N tokens, S sequences, T new tokens of one of them and C its tokens in the cache,
H query heads, K key and value heads, G = H/K, D head_dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from raylm.infer.runners.batch import Batch


@dataclass(frozen=True, slots=True)
class Prefill:
    """One sequence's tokens `rows`, attending to their past in `slots_C` and to each other."""

    rows: slice
    slots_C: Tensor
    mask_TC: Tensor


@dataclass(frozen=True, slots=True)
class Decode:
    """The sequences with one new token each, padded to the longest past."""

    rows_S: Tensor
    slots_SC: Tensor
    mask_S11C: Tensor


@dataclass(frozen=True, slots=True)
class PagedAttention:
    """An `AttentionContext` whose past lies in the blocks of a cache."""

    positions: Tensor
    cache: Tensor  # layers x (keys, values) x slots x K x D; slot = block * block_size + offset
    slots_N: Tensor
    prefills: tuple[Prefill, ...]
    decode: Decode | None

    @classmethod
    def of(cls, batch: Batch, cache: Tensor, block_size: int) -> "PagedAttention":
        starts_S1, positions_N = batch.sequence_starts_S1.long(), batch.positions_N.long()
        lengths_S = starts_S1.diff()
        contexts_S = positions_N[starts_S1[1:] - 1] + 1
        slots_SC = _slots(batch.block_tables_SB.long(), block_size)
        owners_N = torch.arange(len(lengths_S)).repeat_interleave(lengths_S)

        many, single = (lengths_S > 1).nonzero().flatten(), (lengths_S == 1).nonzero().flatten()
        prefills = tuple(
            _prefill(
                int(starts_S1[s]), int(lengths_S[s]), slots_SC[s, : contexts_S[s]], cache.device
            )
            for s in many
        )
        decode = None
        if len(single):
            decode = _decode(starts_S1[single], contexts_S[single], slots_SC[single], cache.device)
        return cls(
            positions_N.to(cache.device),
            cache,
            slots_SC[owners_N, positions_N].to(cache.device),
            prefills,
            decode,
        )

    def attend(self, layer: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        keys, values = self.cache[layer]
        keys.index_copy_(0, self.slots_N, k_NKD)
        values.index_copy_(0, self.slots_N, v_NKD)
        out_NHD = torch.empty_like(q_NHD)
        for part in self.prefills:
            out_NHD[part.rows] = _attend_prefill(part, q_NHD[part.rows], keys, values)
        if self.decode is not None:
            out_NHD[self.decode.rows_S] = _attend_decode(self.decode, q_NHD, keys, values)
        return out_NHD


def _slots(block_tables_SB: Tensor, block_size: int) -> Tensor:
    """The cache slot of each position of each sequence."""
    offsets = torch.arange(block_size, device=block_tables_SB.device)
    return (block_tables_SB[:, :, None] * block_size + offsets).flatten(1)


def _prefill(start: int, length: int, slots_C: Tensor, device: torch.device) -> Prefill:
    mask_TC = torch.ones(length, len(slots_C), dtype=torch.bool).tril(len(slots_C) - length)
    return Prefill(slice(start, start + length), slots_C.to(device), mask_TC.to(device))


def _decode(rows_S: Tensor, contexts_S: Tensor, slots_SC: Tensor, device: torch.device) -> Decode:
    longest = int(contexts_S.max())
    mask_SC = torch.arange(longest) < contexts_S[:, None]
    return Decode(
        rows_S.to(device), slots_SC[:, :longest].to(device), mask_SC[:, None, None].to(device)
    )


def _attend_prefill(part: Prefill, q_THD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    q_HTD = q_THD.transpose(0, 1)
    k_KCD = keys[part.slots_C].transpose(0, 1)
    v_KCD = values[part.slots_C].transpose(0, 1)
    out_1HTD = F.scaled_dot_product_attention(
        q_HTD[None], k_KCD[None], v_KCD[None], attn_mask=part.mask_TC, enable_gqa=True
    )
    return out_1HTD[0].transpose(0, 1)


def _attend_decode(part: Decode, q_NHD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The G heads that share keys and values stand where a prefill's tokens do."""
    _slots, num_kv_heads, head_dim = keys.shape
    q_SHD = q_NHD[part.rows_S]
    q_SKGD = q_SHD.view(len(q_SHD), num_kv_heads, -1, head_dim)
    k_SKCD = keys[part.slots_SC].transpose(1, 2)
    v_SKCD = values[part.slots_SC].transpose(1, 2)
    out_SKGD = F.scaled_dot_product_attention(q_SKGD, k_SKCD, v_SKCD, attn_mask=part.mask_S11C)
    return out_SKGD.flatten(1, 2)
