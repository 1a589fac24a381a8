"""The packed matvec and GEMM against the exact product of the same quantised operands."""

import pytest
import torch

from raylm_kernels.cpu.linear import PackedLinear
from raylm_kernels.quantize import quantize_weight
from raylm_kernels.testing import reference

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("out_features", "in_features"), [(32, 32), (96, 64), (160, 576)])
@pytest.mark.parametrize("rows", [*range(1, 10), 12, 50])
def test_product_is_exact_up_to_fp32_rounding(isa, bits, out_features, in_features, rows):
    weight = quantize_weight(torch.randn(out_features, in_features), bits)
    x = torch.randn(rows, in_features) * torch.logspace(-3, 3, rows)[:, None]
    found = PackedLinear(weight, isa=isa)(x)
    expected = reference("quantized_linear")(x, weight.codes, weight.scales, weight.minima)
    error = (found - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 1e-6


@pytest.mark.parametrize("bits", [4, 8])
def test_a_nan_stays_in_its_row_and_is_seen(isa, bits):
    linear = PackedLinear(quantize_weight(torch.randn(96, 64), bits), isa=isa)
    x = torch.randn(3, 64)
    expected = linear(x)
    x[1, 50] = torch.nan
    found = linear(x)
    assert found[1].isnan().all()
    assert torch.equal(found[::2], expected[::2])


@pytest.mark.parametrize("bits", [4, 8])
def test_rows_and_threads_do_not_change_a_bit(isa, bits):
    weight = quantize_weight(torch.randn(672, 288), bits)  # some of a row's streams, and a rest
    x = torch.randn(23, 288)
    whole = PackedLinear(weight, isa=isa)(x)
    pair = PackedLinear(weight, isa=isa, threads=2)
    assert torch.equal(pair(x), whole)
    assert torch.equal(torch.cat([pair(x[i : i + 1]) for i in range(23)]), whole)
    assert torch.equal(pair(x[:8]), whole[:8])


def test_extreme_codes_do_not_overflow(isa):
    weight = quantize_weight(torch.full((32, 4096), -1.0), 8)
    found = PackedLinear(weight, isa=isa)(torch.full((1, 4096), -3.0))
    torch.testing.assert_close(found, torch.full((1, 32), 3.0 * 4096), rtol=1e-3, atol=0)


def test_more_threads_than_units(isa):
    weight = quantize_weight(torch.randn(32, 64), 4)
    x = torch.randn(3, 64)
    assert torch.equal(
        PackedLinear(weight, isa=isa, threads=3)(x), PackedLinear(weight, isa=isa)(x)
    )


def test_no_rows_have_no_products(isa):
    weight = quantize_weight(torch.randn(32, 64), 4)
    assert PackedLinear(weight, isa=isa)(torch.empty(0, 64)).shape == (0, 32)


def test_wrong_shapes_are_named(isa):
    with pytest.raises(ValueError, match="weight has 33 rows"):
        PackedLinear(quantize_weight(torch.zeros(33, 64), 8), isa=isa)
    linear = PackedLinear(quantize_weight(torch.zeros(32, 64), 8), isa=isa)
    with pytest.raises(ValueError, match=r"x: expected shape \[N, 64\], found \[2, 32\]"):
        linear(torch.zeros(2, 32))
