"""What runs a batch, and the runner on torch's own operations.

Shapes: N tokens, S sequences, H query heads, K key and value heads, G = H/K, D head_dim,
C cached tokens of a sequence, R rows of logits, V vocabulary.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from raylm.infer.batch import Batch
from raylm.models.decoder import Decoder
from raylm.models.spec import ModelSpec


class Runner(Protocol):
    """The only part of the engine that touches weights and the KV cache.

    It owns `num_blocks` blocks of `block_size` tokens; who uses which is the scheduler's to say.
    """

    @property
    def num_blocks(self) -> int: ...

    @property
    def block_size(self) -> int: ...

    def forward(self, batch: Batch) -> Tensor:
        """R x V float32 logits of the batch's `logit_rows`; keys and values of every token are
        written to its sequence's blocks first."""
        ...


def use_threads(threads: int) -> None:
    """For torch's own operations, the sampler's included; a setting of the calling thread."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


class TorchRunner:
    """The decoder in the dtype of its weights, on any device torch has."""

    def __init__(self, decoder: Decoder, *, num_blocks: int, block_size: int, threads: int) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._threads = threads
        self._decoder = decoder.eval()
        spec, weight = decoder.spec, decoder.model.embed_tokens.weight
        shape = (spec.num_layers, 2, num_blocks * block_size, spec.num_kv_heads, spec.head_dim)
        self._cache = torch.empty(shape, dtype=weight.dtype, device=weight.device)

    @staticmethod
    def token_bytes(spec: ModelSpec, dtype: torch.dtype) -> int:
        """What one token takes in the cache."""
        return 2 * spec.num_layers * spec.num_kv_heads * spec.head_dim * dtype.itemsize

    @torch.inference_mode()
    def forward(self, batch: Batch) -> Tensor:
        use_threads(self._threads)
        context = PagedAttention.of(batch, self._cache, self.block_size)
        tokens_N = batch.tokens_N.to(self._cache.device)
        hidden_NE = self._decoder.hidden_states(tokens_N, context)
        wanted_RE = hidden_NE[batch.logit_rows_R.to(hidden_NE.device)]
        return self._decoder.logits(wanted_RE).float()


@dataclass(frozen=True, slots=True)
class Prefill:
    """One sequence's tokens `rows`, attending to their past in `slots_C` and to each other."""

    rows: slice
    slots_C: Tensor
    mask: Tensor


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
        starts = batch.sequence_starts_S1.long()
        lengths_S = starts.diff()
        contexts_S = batch.positions_N.long()[starts[1:] - 1] + 1
        offsets = torch.arange(block_size)
        slots_SC = (batch.block_tables_SB.long()[:, :, None] * block_size + offsets).flatten(1)
        owner_N = torch.arange(len(lengths_S)).repeat_interleave(lengths_S)
        slots_N = slots_SC[owner_N, batch.positions_N.long()]

        prefills = tuple(
            _prefill(slice(start, start + length), slots_SC[s, :context], cache.device)
            for s, (start, length, context) in enumerate(
                zip(starts.tolist(), lengths_S.tolist(), contexts_S.tolist(), strict=False)
            )
            if length > 1
        )
        single = lengths_S == 1
        decode = None
        if bool(single.any()):
            contexts = contexts_S[single]
            longest = int(contexts.max())
            mask = torch.arange(longest) < contexts[:, None]
            decode = Decode(
                starts[:-1][single].to(cache.device),
                slots_SC[single, :longest].to(cache.device),
                mask[:, None, None].to(cache.device),
            )
        device = cache.device
        return cls(batch.positions_N.to(device), cache, slots_N.to(device), prefills, decode)

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


def _prefill(rows: slice, slots_C: Tensor, device: torch.device) -> Prefill:
    length, context = rows.stop - rows.start, len(slots_C)
    mask = torch.ones(length, context, dtype=torch.bool).tril(context - length)
    return Prefill(rows, slots_C.to(device), mask.to(device))


def _attend_prefill(part: Prefill, q_THD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    q_HTD = q_THD.transpose(0, 1)
    k_KCD = keys[part.slots_C].transpose(0, 1)
    v_KCD = values[part.slots_C].transpose(0, 1)
    out_1HTD = F.scaled_dot_product_attention(
        q_HTD[None], k_KCD[None], v_KCD[None], attn_mask=part.mask, enable_gqa=True
    )
    return out_1HTD[0].transpose(0, 1)


def _attend_decode(part: Decode, q_NHD: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The G heads that share keys and values stand where a prefill's tokens do."""
    _slots, num_kv_heads, head_dim = keys.shape
    q_SKGD = q_NHD[part.rows_S].view(len(part.rows_S), num_kv_heads, -1, head_dim)
    k_SKCD = keys[part.slots_SC].transpose(1, 2)
    v_SKCD = values[part.slots_SC].transpose(1, 2)
    out_SKGD = F.scaled_dot_product_attention(q_SKGD, k_SKCD, v_SKCD, attn_mask=part.mask_S11C)
    return out_SKGD.flatten(1, 2)
