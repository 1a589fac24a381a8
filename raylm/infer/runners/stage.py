"""One rank's part in running a batch, where a model is split over several.

Shapes: N tokens, E hidden size, R rows of logits, v this rank's part of the vocabulary.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from raylm.core.topology import Topology
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.paged_attention import PagedAttention
from raylm.parallel.pipeline import DecoderStage


class StageRunner:
    """Every rank of the default group runs the same batches in the same order. Hidden states go
    from each rank of a stage to the one in its place in the next."""

    def __init__(
        self,
        stage: DecoderStage,
        topology: Topology,
        rank: int,
        *,
        num_blocks: int,
        block_size: int,
    ) -> None:
        self._stage, self._topology, self._rank = stage, topology, rank
        self._block_size = block_size
        spec, weight = stage.shard.tensor.local_spec, next(stage.parameters())
        layers, slots = len(stage.shard.layers), num_blocks * block_size
        # Zeros, since attention multiplies what its mask hides by nought: NaN would show through.
        shape = (layers, 2, slots, spec.num_kv_heads, spec.head_dim)
        self._cache = torch.zeros(shape, dtype=weight.dtype, device=weight.device)

    @torch.inference_mode()
    def forward(self, batch: Batch) -> Tensor | None:
        """R x v float32 logits on a rank of the last stage, None on the others."""
        device, shard = self._cache.device, self._stage.shard
        context = PagedAttention.of(batch, self._cache, self._block_size)
        x = batch.tokens_N.to(device) if shard.is_first else self._receive(len(batch.tokens_N))
        hidden_NE = self._stage(x, context)
        if not shard.is_last:
            dist.send(hidden_NE, self._rank + self._topology.tensor)
            return None
        wanted_RE = hidden_NE[batch.logit_rows_R.to(device)]
        return self._stage.logits(wanted_RE).float()

    def _receive(self, tokens: int) -> Tensor:
        hidden_size = self._stage.shard.tensor.spec.hidden_size
        hidden_NE = self._cache.new_empty(tokens, hidden_size)
        dist.recv(hidden_NE, self._rank - self._topology.tensor)
        return hidden_NE
