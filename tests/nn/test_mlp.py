import torch

from raylm.nn.mlp import SwiGLU


def test_equals_its_formula():
    mlp = SwiGLU(6, 10).double()
    x = torch.randn(4, 6, dtype=torch.float64)
    gate, up = x @ mlp.gate_proj.weight.T, x @ mlp.up_proj.weight.T
    expected = (gate / (1 + torch.exp(-gate)) * up) @ mlp.down_proj.weight.T
    torch.testing.assert_close(mlp(x), expected)
