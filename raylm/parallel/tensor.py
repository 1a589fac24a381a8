"""Tensor parallelism: every matrix of a layer split over the ranks of a group.

A rank has some heads and some hidden units of the MLP: rows of the projections into them, columns
of the two that lead back into the residual stream. Each rank's product is then a term of a sum,
which one all-reduce takes. The embedding and the head are split by vocabulary (Shoeybi et al.,
2019, Megatron-LM, section 3; its column-parallel layers are the rows here, as torch stores them).

Forward only: the gradient of a split layer's input is still to be summed over the group.
"""

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor, nn
from torch.nn import functional as F

from raylm.collectives.transport import Transport
from raylm.core.errors import ConfigError
from raylm.core.partition import even_part
from raylm.models.decoder import DecoderLayer
from raylm.models.spec import ModelSpec

_WHOLE = slice(None)


@dataclass(frozen=True, slots=True)
class TensorShard:
    """What rank `rank` of `size` holds of each matrix.

    Heads that share keys and values stay together, and parts differ by one such group where
    `size` does not divide their number. With fewer key and value heads than ranks, several hold
    the same one. Raises ConfigError for a model that cannot be split so.
    """

    spec: ModelSpec
    rank: int = 0
    size: int = 1

    def __post_init__(self) -> None:
        spec, size = self.spec, self.size
        for name in ("num_heads", "intermediate_size", "vocab_size"):
            if getattr(spec, name) < size:
                raise ConfigError(
                    f"a model with {name} {getattr(spec, name)} cannot be split over {size} "
                    "tensor-parallel ranks; use fewer"
                )
        if spec.num_kv_heads < size and size % spec.num_kv_heads:
            raise ConfigError(
                f"{size} tensor-parallel ranks cannot share num_kv_heads {spec.num_kv_heads}; use "
                f"at most {spec.num_kv_heads}, or a multiple of it up to {spec.num_heads}"
            )

    @property
    def kv_heads(self) -> range:
        heads = self.spec.num_kv_heads
        if heads >= self.size:
            return even_part(heads, self.rank, self.size)
        mine = self.rank * heads // self.size
        return range(mine, mine + 1)

    @property
    def query_heads(self) -> range:
        """Those that attend to `kv_heads`, or a part of them."""
        per_kv_head = self.spec.num_heads // self.spec.num_kv_heads
        first = self.kv_heads.start * per_kv_head
        sharers = max(1, self.size // self.spec.num_kv_heads)
        part = even_part(len(self.kv_heads) * per_kv_head, self.rank % sharers, sharers)
        return range(first + part.start, first + part.stop)

    @property
    def inner(self) -> range:
        """Of the MLP's hidden units."""
        return even_part(self.spec.intermediate_size, self.rank, self.size)

    @property
    def vocabulary(self) -> range:
        return even_part(self.spec.vocab_size, self.rank, self.size)

    @property
    def local_spec(self) -> ModelSpec:
        """Of a model as large as this part."""
        return replace(
            self.spec,
            num_heads=len(self.query_heads),
            num_kv_heads=len(self.kv_heads),
            intermediate_size=len(self.inner),
            vocab_size=len(self.vocabulary),
        )

    def place(self, name: str) -> tuple[slice, slice]:
        """The rows and columns of a parameter, by its name in the whole model."""
        module, kind = name.rsplit(".", 2)[-2:]
        match module:
            case "q_proj":
                return self._of_heads(self.query_heads), _WHOLE
            case "k_proj" | "v_proj":
                return self._of_heads(self.kv_heads), _WHOLE
            case "o_proj" if kind == "weight":
                return _WHOLE, self._of_heads(self.query_heads)
            case "gate_proj" | "up_proj":
                return _slice(self.inner), _WHOLE
            case "down_proj":
                return _WHOLE, _slice(self.inner)
            case "embed_tokens" | "lm_head":
                return _slice(self.vocabulary), _WHOLE
            case _:
                return _WHOLE, _WHOLE

    def _of_heads(self, heads: range) -> slice:
        return slice(heads.start * self.spec.head_dim, heads.stop * self.spec.head_dim)


class RowLinear(nn.Linear):
    """The input is this rank's part of the features, the output whole on every rank."""

    def __init__(self, in_features: int, out_features: int, bias: bool, ranks: Transport) -> None:
        super().__init__(in_features, out_features, bias)
        self._ranks = ranks

    @classmethod
    def like(cls, linear: nn.Linear, ranks: Transport) -> Self:
        return cls(linear.in_features, linear.out_features, linear.bias is not None, ranks)

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight)
        self._ranks.one_shot_all_reduce(y)
        return y if self.bias is None else y + self.bias  # once, not once a rank


class VocabularyEmbedding(nn.Embedding):
    """The rows of the tokens `vocabulary`; the output is whole on every rank."""

    def __init__(self, vocabulary: range, hidden_size: int, ranks: Transport) -> None:
        super().__init__(len(vocabulary), hidden_size)
        self._vocabulary, self._ranks = vocabulary, ranks

    def forward(self, tokens: Tensor) -> Tensor:
        is_elsewhere = (tokens < self._vocabulary.start) | (tokens >= self._vocabulary.stop)
        local = (tokens - self._vocabulary.start).masked_fill(is_elsewhere, 0)
        rows = F.embedding(local, self.weight).masked_fill(is_elsewhere.unsqueeze(-1), 0)
        self._ranks.one_shot_all_reduce(rows)
        return rows


def split_layer(shard: TensorShard, ranks: Transport) -> DecoderLayer:
    """This rank's part of any one layer, to be loaded. Split by rows, a projection is a plain
    Linear with fewer outputs."""
    layer = DecoderLayer(shard.local_spec)
    layer.self_attn.o_proj = RowLinear.like(layer.self_attn.o_proj, ranks)
    layer.mlp.down_proj = RowLinear.like(layer.mlp.down_proj, ranks)
    return layer


def _slice(part: range) -> slice:
    return slice(part.start, part.stop)
