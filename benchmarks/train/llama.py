"""The training benchmarks' model: Llama-like, by default 24.0M parameters, in plain PyTorch.

It also runs in the peers' environment, so it imports nothing of RayLM. Tables of the rotation are
no buffers: DDP would broadcast them in every step.
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCAB, DIM, LAYERS, HEADS, INNER = 8192, 384, 6, 6, 2048
HEAD_DIM = DIM // HEADS
PARAMETERS = 2 * VOCAB * DIM + LAYERS * (4 * DIM**2 + 3 * DIM * INNER + 2 * DIM) + DIM
_INIT_STD = 0.02
_ROPE_THETA = 10_000.0


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (_linear(DIM, DIM) for _ in range(4))

    def forward(self, x_BTD: Tensor) -> Tensor:
        q, k, v = (
            project(x_BTD).unflatten(-1, (HEADS, HEAD_DIM)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(-2))


class SwiGLU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = (
            _linear(DIM, INNER),
            _linear(DIM, INNER),
            _linear(INNER, DIM),
        )

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x_BTD)) * self.up(x_BTD))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.RMSNorm(DIM, eps=1e-5), Attention()
        self.mlp_norm, self.mlp = nn.RMSNorm(DIM, eps=1e-5), SwiGLU()

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD + self.attention(self.attention_norm(x_BTD))
        return x_BTD + self.mlp(self.mlp_norm(x_BTD))


class Llama(nn.Module):
    """`model(tokens_BT, targets_BT)` is the mean cross-entropy in nats, computed in fp32."""

    def __init__(self, seed: int = 0, *, layers: int = LAYERS, vocab: int = VOCAB) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(vocab, DIM)
        nn.init.normal_(self.embedding.weight, std=_INIT_STD)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.norm = nn.RMSNorm(DIM, eps=1e-5)
        self.head = _linear(DIM, vocab)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
        x_BTD = self.embedding(tokens_BT)
        for layer in self.layers:
            x_BTD = layer(x_BTD)
        logits_BTV = self.head(self.norm(x_BTD)).float()
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


def random_batch(
    seed: int, step: int, rank: int, *, batch: int, sequence: int, vocab: int = VOCAB
) -> tuple[Tensor, Tensor]:
    """Tokens and the tokens after them. Small ids are frequent, so that a model which trains
    lowers its loss within a few steps, and one which does not shows."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + step) * 1_009 + rank)
    uniform = torch.rand(batch, sequence + 1, generator=generator)
    stream = (uniform**3 * vocab).long()
    return stream[:, :-1].contiguous(), stream[:, 1:].contiguous()


def rotate(x_BHTD: Tensor) -> Tensor:
    """RoPE (Su et al., 2021), the halves of a head paired."""
    cos, sin = (table.to(x_BHTD.dtype) for table in _rotation(x_BHTD.shape[-2]))
    first, second = x_BHTD.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


@functools.cache
def _rotation(length: int) -> tuple[Tensor, Tensor]:
    frequencies = _ROPE_THETA ** (-torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
    angles = torch.outer(torch.arange(length), frequencies)
    return angles.cos(), angles.sin()


def _linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(linear.weight, std=_INIT_STD)
    return linear
