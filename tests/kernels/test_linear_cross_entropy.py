"""The loss of a head in chunks, as Triton's implementation computes it."""

import os

import pytest
import torch

from raylm_kernels.testing import reference
from raylm_kernels.triton import linear_cross_entropy as fused

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1", reason="judges kernels as Python on the CPU"
)


def draw(dtype=torch.float32):
    hidden, weight = torch.randn(11, 6).to(dtype), torch.randn(9, 6).to(dtype)
    targets = torch.randint(9, (11,))
    targets[3] = -100
    return hidden, weight, targets, torch.randn(11)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(fused, "_LEAST_ROWS", 4)


def test_chunks_that_do_not_divide_the_tokens(small_chunks):
    args = draw()
    found = fused.linear_cross_entropy_gradients(*args)
    wanted = reference("linear_cross_entropy_gradients")(*args)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    losses = fused.linear_cross_entropy(*args[:3])
    torch.testing.assert_close(losses, reference("linear_cross_entropy")(*args[:3]))


def test_small_weights_do_not_vanish_in_fp16(small_chunks):
    hidden, weight, targets, weights = draw(torch.float16)
    wide = [hidden.double(), weight.double(), targets]
    _, *found = fused.linear_cross_entropy_gradients(hidden, weight, targets, weights * 1e-6)
    _, *wanted = reference("linear_cross_entropy_gradients")(*wide, weights.double() * 1e-6)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.double(), other, atol=6e-8, rtol=1e-2)


def test_all_weights_may_be_0_in_fp16(small_chunks):
    hidden, weight, targets, weights = draw(torch.float16)
    for result in fused.linear_cross_entropy_gradients(hidden, weight, targets, weights * 0):
        assert (result == 0).all()


@pytest.mark.parametrize(
    ("tokens", "row_bytes", "rows"),
    [(10, 100, 1024), (8192, 256_512, 2048), (65_536, 256_512, 2048), (8192, 2**20, 1024)],
)
def test_a_chunk_is_a_quarter_of_the_tokens_in_bounds(tokens, row_bytes, rows):
    assert fused.chunk_rows(tokens, row_bytes) == rows
