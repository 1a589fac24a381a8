"""A decoder layer made of the library's ops, under torch.compile."""

import pytest
import torch
from torch import nn

import raylm_kernels as rk
from raylm_kernels.comparison import distance

HEADS, KV_HEADS, SIZE, INNER = 4, 2, 16, 96
HIDDEN = HEADS * SIZE


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mlp_norm = (nn.Parameter(1 + 0.1 * torch.randn(HIDDEN)) for _ in "12")
        self.qkv = self.matrix((HEADS + 2 * KV_HEADS) * SIZE, HIDDEN)
        self.out, self.down = self.matrix(HIDDEN, HIDDEN), self.matrix(HIDDEN, INNER)
        self.gate, self.up = (self.matrix(INNER, HIDDEN) for _ in "12")
        inv_freq = 100.0 ** (-torch.arange(0, SIZE, 2) / SIZE)
        self.register_buffer("inv_freq", inv_freq)

    @staticmethod
    def matrix(rows: int, columns: int) -> nn.Parameter:
        return nn.Parameter(torch.randn(rows, columns) * columns**-0.5)

    def forward(self, x_NE, positions_N):
        normed = rk.rms_norm(x_NE, self.norm)
        projected = rk.linear_rope(
            normed, self.qkv, None, positions_N, self.inv_freq, HEADS, KV_HEADS
        )
        mixed, _ = rk.attention(*(one[None] for one in projected))
        x = rk.linear_add(mixed.reshape(x_NE.shape), self.out, None, x_NE)
        gated = rk.gated_linear(rk.rms_norm(x, self.mlp_norm), self.gate, self.up)
        return rk.linear_add(gated, self.down, None, x)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated")
def test_a_decoder_layer_compiles_whole_with_its_backward():
    layer = Layer()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x, positions = torch.randn(9, HIDDEN), torch.arange(9)
    seeds = torch.randn(9, HIDDEN)
    found, wanted = (
        (result := one(x, positions), *torch.autograd.grad(result, layer.parameters(), seeds))
        for one in (compiled, layer)
    )
    assert all(distance(one, other) < 1e-5 for one, other in zip(found, wanted, strict=True))
