"""Sampling without a sort, as Triton does it: it draws what the reference draws."""

import os

import pytest
import torch

from raylm_kernels.testing import reference
from raylm_kernels.triton.sampling import sample

pytestmark = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1", reason="judges kernels as Python on the CPU"
)


def logits(kind):
    drawn = torch.randn(12, 45) * 3
    if kind == "ties":
        return drawn.round()
    if kind == "masked":
        drawn[:, ::2] = -torch.inf
        drawn[:, 1] = 0.0
    return drawn


def some(numbers, otherwise):
    return torch.where(torch.rand(len(numbers)) < 0.6, numbers, otherwise)


@pytest.mark.parametrize("uniform", ["spread", "first", "last"])
@pytest.mark.parametrize("kind", ["spread", "ties", "masked"])
def test_it_draws_what_the_reference_draws(kind, uniform):
    numbers = {"spread": torch.rand(12), "first": torch.zeros(12), "last": torch.ones(12)}[uniform]
    args = (
        logits(kind),
        numbers,
        some(torch.rand(12) * 2, 0.0),
        some(torch.randint(0, 50, (12,)), 0),
        some(torch.rand(12), 1.0),
        some(torch.rand(12) * 0.2, 0.0),
    )
    assert torch.equal(sample(*args), reference("sample")(*args))


@pytest.mark.parametrize(("top_p", "min_p"), [(0.0, 0.0), (1.0, 1.5), (1e-9, 1.0)])
def test_the_likeliest_always_stays(top_p, min_p):
    full = torch.ones(12)
    args = logits("ties"), torch.rand(12), full, full.long() * 0, full * top_p, full * min_p
    assert torch.equal(sample(*args), args[0].argmax(-1))
