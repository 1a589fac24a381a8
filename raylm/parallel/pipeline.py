"""Pipeline parallelism: consecutive layers of a decoder, held by the ranks of one stage.

Shapes: N tokens of a flat batch, E hidden size, V vocabulary, of which this rank has the part v.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raylm.collectives.transport import Transport
from raylm.core.errors import ConfigError
from raylm.core.partition import even_part
from raylm.core.topology import Topology
from raylm.models.source import ModelSource
from raylm.models.spec import ModelSpec
from raylm.nn.attention import AttentionContext
from raylm.nn.norm import RMSNorm
from raylm.nn.rope import Rope
from raylm.parallel.tensor import TensorShard, VocabularyEmbedding, split_layer


@dataclass(frozen=True, slots=True)
class StageShard:
    """What one rank holds: its part of each matrix of its stage's layers. Raises ConfigError for a
    model that cannot be split so."""

    tensor: TensorShard
    layers: range
    is_first: bool
    is_last: bool

    @classmethod
    def of(cls, spec: ModelSpec, topology: Topology, rank: int) -> Self:
        stage, stages = topology.stage(rank), topology.pipeline
        if stages > spec.num_layers:
            raise ConfigError(
                f"a model with num_layers {spec.num_layers} cannot be split over {stages} pipeline "
                "stages; use fewer"
            )
        return cls(
            TensorShard(spec, topology.tensor_rank(rank), topology.tensor),
            even_part(spec.num_layers, stage, stages),
            is_first=stage == 0,
            is_last=stage == stages - 1,
        )

    def token_bytes(self, dtype: torch.dtype) -> int:
        """What one token takes in this rank's part of the cache."""
        spec = self.tensor.local_spec
        return 2 * len(self.layers) * spec.num_kv_heads * spec.head_dim * dtype.itemsize


class StageBackbone(nn.Module):
    """The embedding is the first stage's, the last norm is the last one's."""

    def __init__(self, shard: StageShard, ranks: Transport) -> None:
        super().__init__()
        spec = shard.tensor.spec
        self.embed_tokens: VocabularyEmbedding | None = None
        if shard.is_first:
            vocabulary = shard.tensor.vocabulary
            self.embed_tokens = VocabularyEmbedding(vocabulary, spec.hidden_size, ranks)
        # Named by their places in the whole model.
        layers = {str(layer): split_layer(shard.tensor, ranks) for layer in shard.layers}
        self.layers = nn.ModuleDict(layers)
        self.norm = RMSNorm(spec.hidden_size, spec.norm_eps) if shard.is_last else None
        self._rope = Rope(spec.head_dim, spec.rope_theta, spec.rope_scaling)

    def forward(self, x: Tensor, context: AttentionContext) -> Tensor:
        rotate = self._rope.at(context.positions)
        x_NE: Tensor = x if self.embed_tokens is None else self.embed_tokens(x)
        for index, layer in enumerate(self.layers.values()):
            x_NE = layer(x_NE, rotate, context, index)
        return x_NE if self.norm is None else self.norm(x_NE)


class DecoderStage(nn.Module):
    """Parameters have the names of the whole model; the head is the last stage's. All `ranks` of
    the stage go through it together."""

    def __init__(self, shard: StageShard, ranks: Transport) -> None:
        super().__init__()
        self.shard = shard
        self.model = StageBackbone(shard, ranks)
        self.lm_head: nn.Linear | None = None
        spec = shard.tensor.spec
        if shard.is_last and not (shard.is_first and spec.tie_embeddings):
            self.lm_head = nn.Linear(spec.hidden_size, len(shard.tensor.vocabulary), bias=False)

    @classmethod
    def from_source(
        cls,
        source: ModelSource,
        shard: StageShard,
        ranks: Transport,
        *,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """Reads this rank's parts alone, one after another."""
        with torch.device("meta"):
            stage = cls(shard, ranks)
        parts = {}
        for name, _ in stage.named_parameters():
            is_tied = name == "lm_head.weight" and source.spec.tie_embeddings
            stored = "model.embed_tokens.weight" if is_tied else name
            part = source.weights.part(stored, *shard.tensor.place(stored))
            parts[name] = part.to(device, dtype)
        stage.load_state_dict(parts, assign=True)
        return stage.requires_grad_(False).eval()

    def forward(self, x: Tensor, context: AttentionContext) -> Tensor:
        """N tokens, or N x E from the stage before, to N x E: for the next stage or, after the
        norm, for the head."""
        y_NE: Tensor = self.model(x, context)
        return y_NE

    def logits(self, hidden_NE: Tensor) -> Tensor:
        """N x v, of this rank's part of the vocabulary, on the last stage."""
        head = self.model.embed_tokens if self.lm_head is None else self.lm_head
        assert head is not None, "another stage has the head"
        return F.linear(hidden_NE, head.weight)
