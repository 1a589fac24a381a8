"""What runs a batch, and the runner on the weights as they are.

Shapes: N tokens, E hidden size, R rows of logits, V vocabulary.
"""

from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from raylm.infer.runners.batch import Batch, known_tokens
from raylm.infer.runners.decode_graphs import DecodeGraphs
from raylm.infer.runners.decode_inputs import DecodeInputs
from raylm.infer.runners.fused_attention import FusedAttention
from raylm.infer.runners.fused_decoder import FusedDecoder
from raylm.infer.runners.paged_attention import PagedAttention
from raylm.infer.sampling.likeliest import Likeliest
from raylm.models.decoder import Decoder
from raylm.models.spec import ModelSpec


class CacheLostError(Exception):
    """The runner has lost all keys and values, and can go on without them."""


class Runner(Protocol):
    """The only part of the engine that touches weights and the KV cache.

    It owns `num_blocks` blocks of `block_size` tokens; who uses which is the scheduler's to say.
    """

    @property
    def num_blocks(self) -> int: ...

    @property
    def block_size(self) -> int: ...

    @property
    def lead(self) -> int:
        """Steps that may be under way while the next begins: 0, or 1 where `forward` returns
        before it has computed, and a batch may name tokens that only the device knows."""
        ...

    def forward(self, batch: Batch) -> Tensor:
        """R x V float32 logits of the batch's `logit_rows`; keys and values of every token are
        written to its sequence's blocks first. The next call may overwrite them. May raise
        CacheLostError where `lead` is 0."""
        ...

    def likeliest(self, batch: Batch) -> Likeliest:
        """`forward`, of whose logits nothing else is asked for."""
        ...

    @property
    def has_hidden(self) -> bool: ...

    def hidden(self, batch: Batch) -> Tensor:
        """R x E float32: what the head would read of the batch's `logit_rows`. Only where
        `has_hidden`."""
        ...


def use_threads(threads: int) -> None:
    """For torch's own operations, the sampler's included; a setting of the calling thread."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


class TorchRunner:
    """The decoder in the dtype of its weights, on any device torch has. On CUDA it runs by the
    fused ops, and a decode step is the replay of a graph, unless `graphs` is False."""

    has_hidden = True

    def __init__(
        self,
        decoder: Decoder,
        *,
        num_blocks: int,
        block_size: int,
        threads: int,
        graphs: bool = True,
    ) -> None:
        self.num_blocks = num_blocks
        self.block_size = block_size
        self._threads = threads
        self._decoder = decoder.eval()
        spec, weight = decoder.spec, decoder.model.embed_tokens.weight
        # Zeros, since attention multiplies what its mask hides by nought: NaN would show through.
        # One block more than there are, for the rows that fill up a graph's batch.
        slots = (num_blocks + 1) * block_size
        shape = (spec.num_layers, 2, slots, spec.num_kv_heads, spec.head_dim)
        self._cache = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self.lead = 1 if weight.is_cuda else 0
        self._fused = FusedDecoder(decoder) if weight.is_cuda else None
        self._graphs: DecodeGraphs | None = None
        if graphs and self._fused is not None:
            self._graphs = DecodeGraphs(
                partial(self._decode, self._fused),
                block_size=block_size,
                spare_block=num_blocks,
                device=weight.device,
            )

    @staticmethod
    def token_bytes(spec: ModelSpec, dtype: torch.dtype) -> int:
        """What one token takes in the cache."""
        return 2 * spec.num_layers * spec.num_kv_heads * spec.head_dim * dtype.itemsize

    @torch.inference_mode()
    def forward(self, batch: Batch) -> Tensor:
        use_threads(self._threads)
        if self._graphs is not None and batch.decodes_only:
            return self._graphs.run(batch)
        return self._decoder.logits(self._hidden(batch)).float()

    def likeliest(self, batch: Batch) -> Likeliest:
        return Likeliest.of(self.forward(batch))

    @torch.inference_mode()
    def hidden(self, batch: Batch) -> Tensor:
        use_threads(self._threads)
        return self._hidden(batch).float()

    def _hidden(self, batch: Batch) -> Tensor:
        device = self._cache.device
        tokens_N = known_tokens(batch.tokens_N.to(device), batch.drawn_ids_D)
        if self._fused is not None:
            attention = FusedAttention.of(batch, self._cache, self.block_size)
            hidden_NE = self._fused.hidden_states(tokens_N, attention)
        else:
            context = PagedAttention.of(batch, self._cache, self.block_size)
            hidden_NE = self._decoder.hidden_states(tokens_N, context)
        return hidden_NE[batch.logit_rows_R.to(device)]

    def _decode(self, fused: FusedDecoder, inputs: DecodeInputs) -> Tensor:
        attention = FusedAttention.of_decodes(inputs, self._cache, self.block_size)
        return fused.logits(inputs.tokens(), attention).float()
