"""One block of Llama, GPT-2, BERT and a mixture of experts, as transformers builds them, with an
example of their call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Sizes:
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    experts: int = 0
    active: int = 0
    tokens: int = 128
    batch: int = 1


@dataclass(frozen=True)
class Example:
    block: nn.Module
    arguments: tuple[Tensor, ...]

    def to(self, device: str, dtype: torch.dtype) -> "Example":
        moved = [t.to(device, dtype if t.is_floating_point() else None) for t in self.arguments]
        return Example(self.block.to(device, dtype), tuple(moved))


class Turned(nn.Module):
    """A decoder layer that is told positions, and makes its own table of rotary angles."""

    def __init__(self, layer: nn.Module, rotary: nn.Module) -> None:
        super().__init__()
        self.layer, self.rotary = layer, rotary

    def forward(self, hidden: Tensor, position_ids: Tensor) -> Tensor:
        table = self.rotary(hidden, position_ids)
        found: Tensor = self.layer(hidden, position_embeddings=table, position_ids=position_ids)
        return found


def llama(sizes: Sizes, attention: str = "sdpa") -> Example:
    from transformers import LlamaConfig
    from transformers.models.llama import modeling_llama as llama

    config = LlamaConfig(**_decoder(sizes), attn_implementation=attention)
    block = Turned(llama.LlamaDecoderLayer(config, 0), llama.LlamaRotaryEmbedding(config))
    return Example(_drawn(block), (_hidden(sizes), _positions(sizes)))


def gpt2(sizes: Sizes, attention: str = "sdpa") -> Example:
    from transformers import GPT2Config
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    config = GPT2Config(
        n_embd=sizes.hidden,
        n_head=sizes.heads,
        n_inner=sizes.inner,
        attn_implementation=attention,
    )
    return Example(_drawn(GPT2Block(config, 0).eval()), (_hidden(sizes),))


def bert(sizes: Sizes, attention: str = "sdpa") -> Example:
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertLayer

    config = BertConfig(
        hidden_size=sizes.hidden,
        intermediate_size=sizes.inner,
        num_attention_heads=sizes.heads,
        attn_implementation=attention,
    )
    return Example(_drawn(BertLayer(config).eval()), (_hidden(sizes),))


def experts(sizes: Sizes, implementation: str = "grouped_mm") -> Example:
    from transformers import Qwen3MoeConfig
    from transformers.models.qwen3_moe import modeling_qwen3_moe as qwen

    config = Qwen3MoeConfig(
        **_decoder(sizes),
        head_dim=sizes.hidden // sizes.heads,
        moe_intermediate_size=sizes.inner,
        num_experts=sizes.experts,
        num_experts_per_tok=sizes.active,
        norm_topk_prob=True,
        attn_implementation="sdpa",
        experts_implementation=implementation,
    )
    block = Turned(qwen.Qwen3MoeDecoderLayer(config, 0), qwen.Qwen3MoeRotaryEmbedding(config))
    return Example(_drawn(block), (_hidden(sizes), _positions(sizes)))


BUILDERS: Mapping[str, Callable[[Sizes], Example]] = {
    "Llama": llama,
    "GPT-2": gpt2,
    "BERT": bert,
    "Qwen3-MoE": experts,
}


def _decoder(sizes: Sizes) -> dict[str, int]:
    return {
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.kv_heads,
        "num_hidden_layers": 1,
    }


def _drawn(block: nn.Module) -> nn.Module:
    """Weights with which neither a norm nor a bias is the identity."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in block.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
            else:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
    return block


def _hidden(sizes: Sizes) -> Tensor:
    return torch.randn(sizes.batch, sizes.tokens, sizes.hidden)


def _positions(sizes: Sizes) -> Tensor:
    return torch.arange(sizes.tokens).repeat(sizes.batch, 1)
