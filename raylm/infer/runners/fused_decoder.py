"""A decoder by the fused ops of raylm_kernels, over a paged cache: the same numbers in few kernels.

Shapes: N tokens of a flat batch, E hidden size, H query heads, K key and value heads, D head_dim,
V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import raylm_kernels as rk
from raylm.infer.runners.fused_attention import FusedAttention
from raylm.models.decoder import Decoder, DecoderLayer
from raylm.models.spec import ModelSpec
from raylm.nn.norm import RMSNorm
from raylm.nn.rope_scaling import inverse_frequencies


@dataclass(frozen=True, slots=True)
class FusedLayer:
    """The weights of a layer; `qkv` are those of queries, keys and values, one below the other."""

    input_norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    q_norm: Tensor | None
    k_norm: Tensor | None
    output: Tensor
    output_bias: Tensor | None
    mlp_norm: Tensor
    gate: Tensor
    up: Tensor
    down: Tensor

    @classmethod
    def of(cls, layer: DecoderLayer) -> Self:
        attention, mlp = layer.self_attn, layer.mlp
        qkv, qkv_bias = _merged(attention.q_proj, attention.k_proj, attention.v_proj)
        return cls(
            layer.input_layernorm.weight,
            qkv,
            qkv_bias,
            _norm_weight(attention.q_norm),
            _norm_weight(attention.k_norm),
            attention.o_proj.weight,
            attention.o_proj.bias,
            layer.post_attention_layernorm.weight,
            mlp.gate_proj.weight,
            mlp.up_proj.weight,
            mlp.down_proj.weight,
        )


class FusedDecoder:
    """Reads the weights of `decoder`, whose query, key and value matrices become views of one, so
    that nothing is held twice."""

    def __init__(self, decoder: Decoder) -> None:
        spec = decoder.spec
        self._spec: ModelSpec = spec
        self._decoder = decoder
        self._layers = [FusedLayer.of(cast(DecoderLayer, layer)) for layer in decoder.model.layers]
        device = decoder.model.embed_tokens.weight.device
        self._inv_freq = inverse_frequencies(spec.head_dim, spec.rope_theta, spec.rope_scaling).to(
            device
        )
        self._amplitude = 1.0 if spec.rope_scaling is None else spec.rope_scaling.amplitude

    def hidden_states(self, tokens_N: Tensor, attention: FusedAttention) -> Tensor:
        """N x E: what the head reads. Keys and values are written to the cache on the way."""
        x_NE = self._last(tokens_N, attention)
        return rk.rms_norm(x_NE, self._decoder.model.norm.weight, self._spec.norm_eps)

    def logits(self, tokens_N: Tensor, attention: FusedAttention) -> Tensor:
        """N x V, of every token."""
        decoder, x_NE = self._decoder, self._last(tokens_N, attention)
        head = decoder.model.embed_tokens if decoder.lm_head is None else decoder.lm_head
        eps = self._spec.norm_eps
        return rk.norm_linear(x_NE, decoder.model.norm.weight, head.weight, None, "none", eps)

    def _last(self, tokens_N: Tensor, attention: FusedAttention) -> Tensor:
        x_NE: Tensor = self._decoder.model.embed_tokens(tokens_N)
        for index in range(len(self._layers)):
            x_NE = self.layer(index, x_NE, attention)
        return x_NE

    def layer(self, index: int, x_NE: Tensor, attention: FusedAttention) -> Tensor:
        layer, eps = self._layers[index], self._spec.norm_eps
        q_NHD = self._queries(layer, x_NE, attention, attention.cache[index])
        out_NE = attention.attend(index, q_NHD).flatten(1)
        x_NE = rk.linear_add(out_NE, layer.output, layer.output_bias, x_NE)
        inner = rk.norm_gated_linear(x_NE, layer.mlp_norm, layer.gate, layer.up, "silu", eps)
        return rk.linear_add(inner, layer.down, None, x_NE)

    def _queries(
        self, layer: FusedLayer, x_NE: Tensor, attention: FusedAttention, cache: Tensor
    ) -> Tensor:
        """N x H x D, turned; keys and values are in the cache."""
        keys_SKD, values_SKD = cache
        places = attention.positions_N, self._inv_freq, keys_SKD, values_SKD, attention.slots_N
        spec, eps = self._spec, self._spec.norm_eps
        if layer.q_norm is None or layer.k_norm is None:
            matrix = layer.input_norm, layer.qkv, layer.qkv_bias
            return rk.norm_linear_rope_and_store(x_NE, *matrix, *places, self._amplitude, eps)
        normed_NE = rk.rms_norm(x_NE, layer.input_norm, eps)
        heads = F.linear(normed_NE, layer.qkv, layer.qkv_bias).view(len(x_NE), -1, spec.head_dim)
        counts = [spec.num_heads, spec.num_kv_heads, spec.num_kv_heads]
        q_NHD, k_NKD, v_NKD = torch.split(heads, counts, dim=1)
        q_NHD = rk.rms_norm(q_NHD, layer.q_norm, eps)
        k_NKD = rk.rms_norm(k_NKD, layer.k_norm, eps)
        return rk.rope_and_store(q_NHD, k_NKD, v_NKD, *places, self._amplitude)


def _merged(*linears: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of one layer for several, which get views of them."""
    weight = _joined([linear.weight for linear in linears])
    biases = [linear.bias for linear in linears]
    return weight, None if biases[0] is None else _joined(biases)


def _joined(parameters: Sequence[Tensor]) -> Tensor:
    whole = torch.cat([parameter.detach() for parameter in parameters])
    parts = torch.split(whole, [len(parameter) for parameter in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.data = part
    return whole


def _norm_weight(norm: nn.Module) -> Tensor | None:
    return norm.weight if isinstance(norm, RMSNorm) else None
