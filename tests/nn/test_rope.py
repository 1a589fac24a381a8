import torch

from raylm.nn.rope import Rope
from raylm.nn.rope_scaling import YarnScaling


def test_pairs_turn_as_complex_numbers():
    rope = Rope(head_dim=8, theta=100.0, scaling=None)
    positions = torch.tensor([0, 1, 7])
    x = torch.randn(3, 2, 8)
    frequencies = torch.tensor([100.0 ** (-i / 4) for i in range(4)])
    turns = torch.polar(torch.ones(3, 1, 4), positions[:, None, None] * frequencies)
    expected = torch.complex(x[..., :4], x[..., 4:]) * turns
    torch.testing.assert_close(
        rope.at(positions)(x), torch.cat((expected.real, expected.imag), dim=-1)
    )


def test_products_depend_on_the_distance_alone():
    rope = Rope(head_dim=16, theta=10_000.0, scaling=None)
    q, k = torch.randn(1, 1, 16), torch.randn(1, 1, 16)

    def product(q_at, k_at):
        return (rope.at(torch.tensor([q_at]))(q) * rope.at(torch.tensor([k_at]))(k)).sum()

    torch.testing.assert_close(product(9, 4), product(105, 100), rtol=1e-4, atol=1e-4)


def test_the_dtype_is_kept_and_the_angles_are_float32():
    rotate = Rope(head_dim=8, theta=10_000.0, scaling=None).at(torch.tensor([4097]))
    assert rotate.cos.dtype == torch.float32
    assert rotate(torch.randn(1, 1, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_yarn_scales_the_amplitude():
    scaling = YarnScaling(factor=4.0, original_max_positions=64, attention_factor=1.5)
    x = torch.randn(2, 1, 8)
    turned = Rope(8, 10_000.0, scaling).at(torch.tensor([3, 50]))(x)
    torch.testing.assert_close(turned.norm(dim=-1), 1.5 * x.norm(dim=-1))
