"""Small models of every kind there is to split, and a whole decoder to compare with."""

from types import SimpleNamespace

import torch

from raylm.models.decoder import Decoder
from raylm.models.spec import ModelSpec
from raylm.models.weights import Weights


def spec(**changes):
    sizes = {
        "vocab_size": 96,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_layers": 3,
        "num_heads": 8,
        "num_kv_heads": 4,
        "head_dim": 8,
        "max_positions": 64,
    }
    return ModelSpec(**(sizes | changes))


SPECS = {
    "plain": spec(),
    "untied": spec(tie_embeddings=False),
    "two kv heads": spec(num_kv_heads=2),
    "one kv head": spec(num_heads=6, num_kv_heads=1),
    "biases": spec(attention_bias=True, output_bias=True),
    "qk norm": spec(qk_norm=True),
    "no size divides": spec(num_heads=15, num_kv_heads=5, intermediate_size=47, vocab_size=97),
}


class CountingWeights(Weights):
    """In memory; counts the elements of the parts that were read."""

    def __init__(self, state):
        super().__init__({name: tuple(tensor.shape) for name, tensor in state.items()})
        self._state = state
        self.read = 0

    def __getitem__(self, name):
        return self._state[name]

    def part(self, name, rows, columns):
        part = super().part(name, rows, columns)
        self.read += part.numel()
        return part


def source(spec):
    """Random weights, large enough that every part of them matters."""
    generator = torch.Generator().manual_seed(11)
    state = {}
    for name, shape in spec.parameters():
        noise = torch.randn(shape, generator=generator)
        state[name] = 0.2 * noise if len(shape) == 2 or name.endswith("bias") else 1 + 0.1 * noise
    return SimpleNamespace(spec=spec, weights=CountingWeights(state))


def whole_logits(spec, tokens_BT):
    with torch.no_grad():
        return Decoder.from_source(source(spec))(tokens_BT).flatten(0, 1)


def relative_error(found, expected):
    return float((found - expected).norm() / expected.norm())
