import pytest
import torch

from raylm.nn.norm import RMSNorm


@pytest.fixture
def norm():
    norm = RMSNorm(16, eps=1e-5)
    torch.nn.init.normal_(norm.weight)
    return norm


def formula(x, weight, eps):
    x, weight = x.double(), weight.double()
    return x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * weight


def test_equals_its_formula(norm):
    x = torch.randn(3, 5, 16)
    torch.testing.assert_close(norm(x), formula(x, norm.weight, 1e-5).float())


def test_bfloat16_is_rounded_once_at_the_end(norm):
    """Squares of 300 overflow no accumulator, and the result is the exact one, rounded."""
    x = (torch.randn(64, 16) * 300).bfloat16()
    expected = formula(x, norm.weight, 1e-5).float().bfloat16()
    assert norm(x).dtype == torch.bfloat16
    assert (norm(x) == expected).float().mean() > 0.99


def test_zero_stays_zero(norm):
    assert norm(torch.zeros(2, 16)).eq(0).all()


def test_gradients_equal_the_formulas(norm):
    x = torch.randn(4, 16, requires_grad=True)
    grads = torch.autograd.grad(norm(x).square().sum(), (x, norm.weight))
    expected = torch.autograd.grad(formula(x, norm.weight, 1e-5).square().sum(), (x, norm.weight))
    for grad, want in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, want, rtol=1e-4, atol=1e-5)
