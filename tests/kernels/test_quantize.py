"""Grids hold what they promise, and weights that come from GGUF's 4-bit formats stay exact."""

import pytest
import torch

from raylm_kernels.quantize import GROUP, dequantize_weight, quantize_weight


@pytest.mark.parametrize("bits", [4, 8])
def test_error_stays_within_half_a_step(bits):
    weight = torch.randn(40, 96)
    quantized = quantize_weight(weight, bits)
    error = (dequantize_weight(quantized) - weight).abs().view(40, -1, GROUP)
    half_step = quantized.scales.float().abs()[..., None] / 2
    # Rounding scales and minima to half precision moves every level a little.
    slack = weight.abs().max() * (16 if bits == 4 else 128) / 15 * 2**-11
    if bits == 8:
        assert (error <= half_step + slack).all()
    else:  # the zero-centred grid may clip its shorter side by up to one step
        assert (error <= 2 * half_step + slack).all()
        assert error.square().mean() < half_step.square().mean() * 4 / 12 * 1.05


def test_affine_4_bit_weights_survive_exactly():
    scales = (torch.rand(8, 3, 1) * 0.1 + 0.01).half().float()
    minima = -(torch.rand(8, 3, 1) * 0.5).half().float()
    codes = torch.randint(0, 16, (8, 3, GROUP)).float()
    codes[..., 0], codes[..., 1] = 0, 15  # as in Q4_1, whose grid spans the group
    weight = (codes * scales + minima).flatten(1)
    assert torch.equal(dequantize_weight(quantize_weight(weight, 4)), weight)


def test_centred_4_bit_weights_survive_exactly():
    scales = (torch.randn(8, 3, 1) * 0.1).half().float()
    codes = torch.randint(-7, 7, (8, 3, GROUP)).float()
    codes[..., 0] = -8  # as in Q4_0, whose largest magnitude takes the extreme code
    weight = (codes * scales).flatten(1)
    assert torch.equal(dequantize_weight(quantize_weight(weight, 4)), weight)


def test_8_bit_weights_survive_exactly():
    scales = (torch.rand(8, 3, 1) * 0.01).half().float()
    codes = torch.randint(-127, 128, (8, 3, GROUP)).float()
    codes[..., 0] = 127
    weight = (codes * scales).flatten(1)
    assert torch.equal(dequantize_weight(quantize_weight(weight, 8)), weight)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("value", [0.0, 0.25, -0.25])
def test_constant_groups_stay_constant(bits, value):
    weight = torch.full((32, 64), value)
    assert torch.allclose(dequantize_weight(quantize_weight(weight, bits)), weight, rtol=1e-3)


def test_width_must_be_whole_groups():
    with pytest.raises(ValueError, match="33 columns, expected a multiple of 32"):
        quantize_weight(torch.zeros(4, 33), 8)


@pytest.mark.parametrize("bits", [4, 8])
def test_large_matrices_are_rounded_like_their_parts(bits):
    weight = torch.randn(300, 1024)  # more than is rounded at once
    whole = quantize_weight(weight, bits)
    for rows in (slice(0, 7), slice(250, 262), slice(290, 300)):
        part = quantize_weight(weight[rows], bits)
        assert torch.equal(whole.codes[rows], part.codes)
        assert torch.equal(whole.scales[rows], part.scales)
        assert bits == 8 or torch.equal(whole.minima[rows], part.minima)
