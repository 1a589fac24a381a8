"""The shape of a decoder: everything about a model but its weights and its vocabulary."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from raylm.core.errors import ConfigError, WeightsError
from raylm.core.schema import ModelDims
from raylm.nn.rope_scaling import RopeScaling, inverse_frequencies


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Sizes as in Hugging Face configs. `attention_bias` is on queries, keys and values (Qwen2);
    `output_bias` on the attention's output projection."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    max_positions: int
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-5
    qk_norm: bool = False
    attention_bias: bool = False
    output_bias: bool = False
    tie_embeddings: bool = True

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "intermediate_size", "max_positions"):
            _require(1 <= getattr(self, name) < 2**31, name, self, "positive")
        for name in ("num_layers", "num_heads", "num_kv_heads", "head_dim"):
            _require(1 <= getattr(self, name) <= 65_536, name, self, "from 1 to 65536")
        _require(
            self.num_heads % self.num_kv_heads == 0, "num_kv_heads", self, "a divisor of num_heads"
        )
        _require(self.head_dim % 2 == 0, "head_dim", self, "even")
        _require(math.isfinite(self.rope_theta) and self.rope_theta > 0, "rope_theta", self, "> 0")
        _require(_has_frequencies(self), "rope_scaling", self, "usable with this head_dim")
        _require(math.isfinite(self.norm_eps) and self.norm_eps > 0, "norm_eps", self, "> 0")

    @property
    def num_parameters(self) -> int:
        return sum(math.prod(shape) for _, shape in self.parameters())

    def parameters(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Each parameter's name and shape, in the order of a forward pass."""
        yield "model.embed_tokens.weight", (self.vocab_size, self.hidden_size)
        for layer in range(self.num_layers):
            for name, shape in self._layer_parameters():
                yield f"model.layers.{layer}.{name}", shape
        yield "model.norm.weight", (self.hidden_size,)
        if not self.tie_embeddings:
            yield "lm_head.weight", (self.vocab_size, self.hidden_size)

    def _layer_parameters(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        hidden, inner = self.hidden_size, self.intermediate_size
        queries, keys = self.num_heads * self.head_dim, self.num_kv_heads * self.head_dim
        yield "input_layernorm.weight", (hidden,)
        for name, rows in (("q", queries), ("k", keys), ("v", keys)):
            yield f"self_attn.{name}_proj.weight", (rows, hidden)
            if self.attention_bias:
                yield f"self_attn.{name}_proj.bias", (rows,)
        if self.qk_norm:
            yield "self_attn.q_norm.weight", (self.head_dim,)
            yield "self_attn.k_norm.weight", (self.head_dim,)
        yield "self_attn.o_proj.weight", (hidden, queries)
        if self.output_bias:
            yield "self_attn.o_proj.bias", (hidden,)
        yield "post_attention_layernorm.weight", (hidden,)
        yield "mlp.gate_proj.weight", (inner, hidden)
        yield "mlp.up_proj.weight", (inner, hidden)
        yield "mlp.down_proj.weight", (hidden, inner)

    @classmethod
    def from_dims(cls, dims: ModelDims, vocab_size: int, max_positions: int) -> Self:
        """The model a training config describes; raises ConfigError where it cannot be built."""
        sizes: dict[str, Any] = {
            "vocab_size": vocab_size,
            "hidden_size": dims.hidden_size,
            "intermediate_size": dims.intermediate_size or -(-dims.hidden_size * 8 // 3 // 64) * 64,
            "num_layers": dims.num_layers,
            "num_heads": dims.num_heads,
            "num_kv_heads": dims.num_kv_heads or dims.num_heads,
            "head_dim": dims.head_dim or dims.hidden_size // dims.num_heads,
            "max_positions": max_positions,
            "rope_theta": dims.rope_theta,
            "norm_eps": dims.norm_eps,
            "qk_norm": dims.qk_norm,
            "tie_embeddings": dims.tie_embeddings,
        }
        try:
            return cls(**sizes)
        except WeightsError as error:
            raise ConfigError(f"key 'model': {error}") from None


def _has_frequencies(spec: ModelSpec) -> bool:
    try:
        frequencies = inverse_frequencies(spec.head_dim, spec.rope_theta, spec.rope_scaling)
    except (ArithmeticError, ValueError, RuntimeError):  # a zero, a logarithm, a length
        return False
    return bool(frequencies.isfinite().all())


def _require(ok: bool, name: str, spec: ModelSpec, rule: str) -> None:
    if not ok:
        raise WeightsError(f"{name} is {getattr(spec, name)!r}; it must be {rule}")
