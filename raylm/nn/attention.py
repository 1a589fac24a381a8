"""Grouped-query attention, with who attends to whom left to an `AttentionContext`.

Shapes: N tokens of a flat batch, H query heads, K key and value heads, D head_dim;
B sequences of T tokens where the batch is a rectangle.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raylm.nn.norm import RMSNorm
from raylm.nn.rope import Rotation


class AttentionContext(Protocol):
    """Where a flat batch's tokens stand in their sequences, and how they attend.

    The decoder calls `attend` once per layer; a paged engine writes keys and values into its
    cache there.
    """

    @property
    def positions(self) -> Tensor:
        """N integers: the position of each token in its own sequence."""
        ...

    def attend(self, layer: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class CausalAttention:
    """B whole sequences of T tokens, each token attending to itself and those before it."""

    batch: int
    length: int
    device: torch.device

    @property
    def positions(self) -> Tensor:
        return torch.arange(self.length, device=self.device).repeat(self.batch)

    def attend(self, layer: int, q_NHD: Tensor, k_NKD: Tensor, v_NKD: Tensor) -> Tensor:
        q, k, v = (self._split(x) for x in (q_NHD, k_NKD, v_NKD))
        gqa = q.shape[1] != k.shape[1]
        out_BHTD = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=gqa)
        return out_BHTD.transpose(1, 2).flatten(0, 1)

    def _split(self, x_NHD: Tensor) -> Tensor:
        return x_NHD.view(self.batch, self.length, *x_NHD.shape[1:]).transpose(1, 2)


class Attention(nn.Module):
    def __init__(
        self,
        hidden_size: int,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        *,
        bias: bool = False,
        output_bias: bool = False,
        qk_norm_eps: float | None = None,
    ) -> None:
        """`qk_norm_eps` turns on Qwen3's normalisation of each query and key head."""
        super().__init__()
        self.head_dim = head_dim
        self.q_proj = nn.Linear(hidden_size, num_heads * head_dim, bias=bias)
        self.k_proj = nn.Linear(hidden_size, num_kv_heads * head_dim, bias=bias)
        self.v_proj = nn.Linear(hidden_size, num_kv_heads * head_dim, bias=bias)
        self.o_proj = nn.Linear(num_heads * head_dim, hidden_size, bias=output_bias)
        self.q_norm: nn.Module = nn.Identity()
        self.k_norm: nn.Module = nn.Identity()
        if qk_norm_eps is not None:
            self.q_norm = RMSNorm(head_dim, qk_norm_eps)
            self.k_norm = RMSNorm(head_dim, qk_norm_eps)

    def forward(self, x: Tensor, rotate: Rotation, context: AttentionContext, layer: int) -> Tensor:
        q_NHD = rotate(self.q_norm(self._heads(self.q_proj(x))))
        k_NKD = rotate(self.k_norm(self._heads(self.k_proj(x))))
        v_NKD = self._heads(self.v_proj(x))
        y: Tensor = self.o_proj(context.attend(layer, q_NHD, k_NKD, v_NKD).flatten(1))
        return y

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(len(x), -1, self.head_dim)
