"""What runs a batch, and the runner on torch's own operations.

Shapes: N tokens, E hidden size, R rows of logits, V vocabulary.
"""

from typing import Protocol

import torch
from torch import Tensor

from raylm.infer.batch import Batch
from raylm.infer.paged_attention import PagedAttention
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
        # Zeros, since attention multiplies what its mask hides by nought: NaN would show through.
        self._cache = torch.zeros(shape, dtype=weight.dtype, device=weight.device)

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
