"""Each compiled building block against its plain PyTorch reference, on every instruction set."""

import pytest
import torch

from raylm_kernels.cpu import activations, gated, norm
from raylm_kernels.cpu.paged_attention import causal_attention
from raylm_kernels.testing import reference

pytestmark = pytest.mark.usefixtures("compiled", "isa")


@pytest.mark.parametrize("width", [32, 96, 576, 2048])
def test_rms_norm(width):
    x, weight = torch.randn(5, width) * 3, torch.randn(width)
    found = norm.rms_norm(x, weight, 1e-5)
    torch.testing.assert_close(found, reference("rms_norm")(x, weight, 1e-5), rtol=2e-6, atol=1e-6)


def test_rms_norm_of_zeros_is_zero():
    assert not norm.rms_norm(torch.zeros(1, 64), torch.ones(64), 1e-5).any()


def test_quantize_activations():
    x = torch.randn(7, 128) * torch.logspace(-4, 4, 7)[:, None]
    x[3, 32:64] = 0
    codes, scales = activations.quantize_int8(x)
    expected_codes, expected_scales = reference("quantize_int8")(x)
    assert torch.equal(scales, expected_scales)
    assert torch.equal(codes, expected_codes)


@pytest.mark.parametrize("place", [40, 55])
def test_a_group_with_a_nan_has_it_for_a_scale(place):
    x = torch.randn(3, 96)
    x[1, place] = torch.nan
    _, scales = activations.quantize_int8(x)
    expected = reference("quantize_int8")(x)[1]
    torch.testing.assert_close(scales, expected, equal_nan=True)
    assert scales.isnan().sum() == 1


@pytest.mark.parametrize("head_dim", [2, 20, 64, 128])
def test_rope(head_dim):
    x = torch.randn(6, 3, head_dim)
    positions = torch.tensor([0, 1, 7, 100, 2047, 9000])
    inv_freq = 10_000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)
    found = activations.rope(x, positions, inv_freq, 1.2)
    expected = reference("rope")(x, positions, inv_freq, 1.2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_swiglu():
    gate = torch.cat((torch.linspace(-100, 100, 2048), torch.randn(2048)))
    up = torch.randn(4096)
    expected = reference("swiglu")(gate.double(), up.double()).float()
    torch.testing.assert_close(gated.swiglu(gate, up), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("head_dim", [32, 64, 96, 128])
@pytest.mark.parametrize(
    ("tokens", "length", "heads", "kv_heads"),
    [(1, 1, 3, 3), (1, 16, 9, 3), (1, 17, 4, 1), (5, 5, 2, 2), (7, 40, 14, 2), (33, 70, 6, 3)],
)
def test_causal_attention(head_dim, tokens, length, heads, kv_heads):
    q = torch.randn(tokens, heads, head_dim)
    keys, values = (torch.randn(length, kv_heads, head_dim).bfloat16() for _ in "kv")
    table = torch.randperm(8, dtype=torch.int32)  # blocks in no order
    found = causal_attention(q, keys, values, table, num_blocks=8, block_size=16)
    positions = torch.arange(length - tokens, length)
    expected = reference("paged_attention")(q, keys, values, torch.arange(length), positions)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=3e-6)


def test_attention_over_wide_blocks_and_large_scores():
    q, keys = torch.randn(2, 2, 64) * 30, torch.randn(50, 1, 64).bfloat16()
    values = torch.randn(50, 1, 64).bfloat16()
    found = causal_attention(q, keys, values, torch.tensor([1, 0]), num_blocks=2, block_size=32)
    positions = torch.tensor([48, 49])
    expected = reference("paged_attention")(q, keys, values, torch.arange(50), positions)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("head_dim", [32, 64, 96, 128])
@pytest.mark.parametrize(
    ("tokens", "length", "heads", "kv_heads"), [(1, 17, 9, 3), (7, 40, 14, 2), (33, 70, 6, 3)]
)
def test_attention_over_a_cache_in_int8(head_dim, tokens, length, heads, kv_heads):
    q = torch.randn(tokens, heads, head_dim)
    keys, values = (torch.randn(length, kv_heads, head_dim) for _ in "kv")
    table = torch.randperm(8, dtype=torch.int32)
    found = causal_attention(q, keys, values, table, num_blocks=8, block_size=16, kv_bits=8)
    positions = torch.arange(length - tokens, length)
    expected = reference("paged_attention")(q, keys, values, torch.arange(length), positions)
    assert (found - expected).norm() < 0.01 * expected.norm()


def test_attention_over_int8_is_exact_where_int8_is():
    """Whole numbers whose largest is 127 in each 32 are kept exactly, and a query like them."""
    keys, values = (torch.randint(-126, 127, (20, 1, 64)).float() for _ in "kv")
    for tensor in (keys, values):
        tensor[..., ::32] = 127
    q = torch.zeros(1, 1, 64)
    q[..., 3] = 127 / 8
    found = causal_attention(
        q, keys, values, torch.tensor([1, 0]), num_blocks=2, block_size=16, kv_bits=8
    )
    expected = reference("paged_attention")(q, keys, values, torch.arange(20), torch.tensor([19]))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("of", ["key", "value"])
def test_what_is_not_finite_is_seen_through_an_int8_cache(value, of):
    q, keys, values = torch.randn(20, 1, 64), torch.randn(20, 1, 64), torch.randn(20, 1, 64)
    options = {"num_blocks": 2, "block_size": 16, "kv_bits": 8}
    table = torch.tensor([1, 0])
    before = causal_attention(q, keys, values, table, **options)
    (keys if of == "key" else values)[17, 0, 40] = value
    found = causal_attention(q, keys, values, table, **options)
    assert torch.equal(found[:12], before[:12])  # the next ones may share a tile with it
    assert not found[17:].isfinite().all(-1).any()


def test_a_cache_that_no_memory_holds_is_an_error():
    one = torch.randn(1, 1, 512)
    with pytest.raises(MemoryError, match="attention: std::bad_alloc"):
        causal_attention(one, one, one, torch.tensor([0]), num_blocks=2**31 - 1, block_size=4096)
