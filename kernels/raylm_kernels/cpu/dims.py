"""The shape of a Llama-family decoder, as the compiled kernels need to know it."""

from dataclasses import dataclass
from typing import Literal

import torch

MAX_HEAD_DIM = 512

KvBits = Literal[8, 16]


def round_up(value: int, step: int) -> int:
    return -(-value // step) * step


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderDims:
    """`inv_freq` [head_dim / 2] carries any RoPE scaling; `rope_attention_factor` YaRN's."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    norm_eps: float
    inv_freq: torch.Tensor
    rope_attention_factor: float = 1.0
    qk_norm: bool = False
    attention_bias: bool = False
    tie_embeddings: bool = True

    def __post_init__(self) -> None:
        names = ("vocab_size", "intermediate_size", "num_layers", "num_heads", "num_kv_heads")
        for name in names:
            _require(getattr(self, name) >= 1, name, getattr(self, name), ">= 1")
        hidden, head = self.hidden_size, self.head_dim
        _require(hidden >= 32 and hidden % 32 == 0, "hidden_size", hidden, "a multiple of 32")
        _require(0 < head <= MAX_HEAD_DIM and head % 2 == 0, "head_dim", head, "even, at most 512")
        _require(
            self.num_heads % self.num_kv_heads == 0,
            "num_heads",
            self.num_heads,
            f"a multiple of num_kv_heads ({self.num_kv_heads})",
        )
        found, wanted = list(self.inv_freq.shape), [head // 2]
        _require(found == wanted, "inv_freq's shape", found, f"{wanted}, head_dim / 2")

    @property
    def padded_head_dim(self) -> int:
        return round_up(self.head_dim, 32)

    def cache_bytes(self, kv_bits: KvBits) -> int:
        """Of the keys and values of one position; int8 ones have a half-precision scale per 32 and
        fill whole groups of 64."""
        if kv_bits == 16:
            row = 2 * self.padded_head_dim
        else:
            depth = round_up(self.head_dim, 64)
            row = depth + depth // 32 * 2
        return 2 * self.num_layers * self.num_kv_heads * row

    @property
    def padded_intermediate_size(self) -> int:
        return round_up(self.intermediate_size, 32)


def _require(ok: bool, name: str, found: object, expected: str) -> None:
    if not ok:
        raise ValueError(f"{name} is {found}; it must be {expected}")
