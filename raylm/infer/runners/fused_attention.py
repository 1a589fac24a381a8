"""Attention over a paged cache by the ops of raylm_kernels.

Shapes: N tokens, S sequences with one new token each, B blocks of each, L tokens of one sequence
in the cache, H query heads, K key and value heads, D head_dim.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

import raylm_kernels as rk
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.decode_inputs import DecodeInputs


@dataclass(frozen=True, slots=True)
class Prefill:
    """One sequence's tokens `rows`, which see those before them in `slots_L`."""

    rows: slice
    slots_L: Tensor


@dataclass(frozen=True, slots=True)
class Decode:
    """The sequences with one new token each, which see `lengths_S` tokens."""

    rows_S: Tensor
    block_tables_SB: Tensor
    lengths_S: Tensor


@dataclass(frozen=True, slots=True)
class FusedAttention:
    """Where the tokens of a batch stand and are kept, and how they attend. Slot = block *
    block_size + offset; with nothing but a `decode`, its rows are all."""

    positions_N: Tensor
    slots_N: Tensor
    cache: Tensor  # layers x (keys, values) x slots x K x D
    block_size: int
    prefills: tuple[Prefill, ...]
    decode: Decode | None

    @classmethod
    def of(cls, batch: Batch, cache: Tensor, block_size: int) -> Self:
        """Brings a batch of any kind to the device."""
        starts_S1, positions_N = batch.sequence_starts_S1.long(), batch.positions_N.long()
        device, lengths_S = cache.device, starts_S1.diff()
        seen_S = positions_N[starts_S1[1:] - 1] + 1
        offsets = torch.arange(block_size)
        slots_SL = (batch.block_tables_SB.long()[:, :, None] * block_size + offsets).flatten(1)
        owners_N = torch.arange(len(lengths_S)).repeat_interleave(lengths_S)
        prefills = tuple(
            Prefill(
                slice(int(starts_S1[s]), int(starts_S1[s + 1])),
                slots_SL[s, : seen_S[s]].to(device),
            )
            for s in (lengths_S > 1).nonzero().flatten()
        )
        single, decode = (lengths_S == 1).nonzero().flatten(), None
        if len(single):
            parts = (starts_S1[single], batch.block_tables_SB[single], seen_S[single])
            decode = Decode(*(part.to(device) for part in parts))
        slots_N = slots_SL[owners_N, positions_N].to(device)
        return cls(positions_N.to(device), slots_N, cache, block_size, prefills, decode)

    @classmethod
    def of_decodes(cls, inputs: DecodeInputs, cache: Tensor, block_size: int) -> Self:
        """Of inputs on the device; nothing here leaves it."""
        decode = Decode(inputs.places_S, inputs.block_tables_SB, inputs.lengths_S)
        return cls(inputs.positions_S, inputs.slots_S, cache, block_size, (), decode)

    def attend(self, layer: int, q_NHD: Tensor) -> Tensor:
        """To the cache, where the new keys and values are already."""
        if not self.prefills:
            return self._attend_decode(layer, q_NHD)
        keys, values = self.cache[layer]
        out_NHD = torch.empty_like(q_NHD)
        for part in self.prefills:
            q, positions = q_NHD[part.rows], self.positions_N[part.rows]
            out_NHD[part.rows] = rk.paged_attention(q, keys, values, part.slots_L, positions)
        if self.decode is not None:
            rows_S = self.decode.rows_S
            out_NHD[rows_S] = self._attend_decode(layer, q_NHD[rows_S])
        return out_NHD

    def _attend_decode(self, layer: int, q_SHD: Tensor) -> Tensor:
        assert self.decode is not None
        keys, values = self.cache[layer]
        tables_SB, lengths_S = self.decode.block_tables_SB, self.decode.lengths_S
        return rk.paged_decode_attention(q_SHD, keys, values, tables_SB, lengths_S, self.block_size)
