"""The decoder: one module for Llama, SmolLM, Mistral, Qwen2 and Qwen3, in training and inference.

Shapes: N tokens of a flat batch, B sequences of T tokens, E hidden size, V vocabulary.
"""

import math
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raylm.core.seeding import derive_seed
from raylm.models.spec import ModelSpec
from raylm.nn.attention import Attention, AttentionContext, CausalAttention
from raylm.nn.mlp import SwiGLU
from raylm.nn.norm import RMSNorm
from raylm.nn.rope import Rope, Rotation

if TYPE_CHECKING:
    from raylm.models.source import ModelSource

_INIT_STD = 0.02


class DecoderLayer(nn.Module):
    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(spec.hidden_size, spec.norm_eps)
        self.self_attn = Attention(
            spec.hidden_size,
            spec.num_heads,
            spec.num_kv_heads,
            spec.head_dim,
            bias=spec.attention_bias,
            output_bias=spec.output_bias,
            qk_norm_eps=spec.norm_eps if spec.qk_norm else None,
        )
        self.post_attention_layernorm = RMSNorm(spec.hidden_size, spec.norm_eps)
        self.mlp = SwiGLU(spec.hidden_size, spec.intermediate_size)

    def forward(self, x: Tensor, rotate: Rotation, context: AttentionContext, layer: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotate, context, layer)
        y: Tensor = x + self.mlp(self.post_attention_layernorm(x))
        return y


class Backbone(nn.Module):
    """All but the head; named `model` in the decoder, as Hugging Face names parameters."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(spec.vocab_size, spec.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(spec) for _ in range(spec.num_layers))
        self.norm = RMSNorm(spec.hidden_size, spec.norm_eps)
        self._rope = Rope(spec.head_dim, spec.rope_theta, spec.rope_scaling)

    def forward(self, tokens_N: Tensor, context: AttentionContext) -> Tensor:
        rotate = self._rope.at(context.positions)
        x_NE = self.embed_tokens(tokens_N)
        for index, layer in enumerate(self.layers):
            x_NE = layer(x_NE, rotate, context, index)
        y_NE: Tensor = self.norm(x_NE)
        return y_NE


class Decoder(nn.Module):
    """Parameter names are Hugging Face's; `lm_head.weight` is absent where the head is tied."""

    def __init__(self, spec: ModelSpec, seed: int | None = None) -> None:
        """Weights are drawn from torch's global generator, or with `seed` each parameter's from
        one of its own: then they do not depend on the order in which they are made."""
        super().__init__()
        self.spec = spec
        self.seed = seed
        self.model = Backbone(spec)
        self.lm_head: nn.Linear | None = None
        if not spec.tie_embeddings:
            self.lm_head = nn.Linear(spec.hidden_size, spec.vocab_size, bias=False)
        self.reset_parameters()

    @classmethod
    def from_source(
        cls,
        source: "ModelSource",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        with torch.device("meta"):
            decoder = cls(source.spec)
        state = {n: source.weights[n].to(device, dtype) for n, _ in source.spec.parameters()}
        decoder.load_state_dict(state, assign=True)
        return decoder

    def reset_parameters(self) -> None:
        for name, parameter in self.named_parameters():
            if not parameter.is_meta:
                self.init_parameter(name, parameter)

    @torch.no_grad()
    def init_parameter(self, name: str, parameter: Tensor) -> None:
        """Normal(0, 0.02), the two projections into the residual stream divided by
        sqrt(2 layers) so that its variance does not grow with depth (GPT-2, section 2.3)."""
        generator = None
        if self.seed is not None:
            generator = torch.Generator(parameter.device).manual_seed(derive_seed(self.seed, name))
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            std = _INIT_STD / math.sqrt(2 * self.spec.num_layers)
            parameter.normal_(std=std, generator=generator)
        elif parameter.ndim == 2:
            parameter.normal_(std=_INIT_STD, generator=generator)
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)

    def forward(self, tokens: Tensor, attention: AttentionContext | None = None) -> Tensor:
        """Logits, B x T x V of whole sequences, or N x V of a flat batch with its `attention`."""
        return self.logits(self.hidden_states(tokens, attention))

    def hidden_states(self, tokens: Tensor, attention: AttentionContext | None = None) -> Tensor:
        """What the head reads, for every token: B x T x E, or N x E with `attention`."""
        if attention is not None:
            flat_NE: Tensor = self.model(tokens, attention)
            return flat_NE
        batch, length = tokens.shape
        context = CausalAttention(batch, length, tokens.device)
        hidden_NE: Tensor = self.model(tokens.flatten(), context)
        return hidden_NE.view(batch, length, -1)

    def logits(self, hidden: Tensor) -> Tensor:
        head = self.model.embed_tokens if self.lm_head is None else self.lm_head
        return F.linear(hidden, head.weight)
