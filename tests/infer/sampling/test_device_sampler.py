"""Drawn where the logits lie, a token is the one that the sampler would have drawn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raylm.core.errors import EngineError
from raylm.core.sampling import SamplingParams
from raylm.infer.sampling.device_sampler import Draw
from raylm.infer.sampling.sampler import sample
from raylm.infer.scheduling.request import Request

VOCAB = 3000
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
        ],
    ),
]


def make(params: SamplingParams, seed: int, output: tuple[int, ...] = ()) -> Request:
    return Request("r", [1, 2, *output], prompt_length=2, max_length=99, params=params, seed=seed)


ALL_PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.0, 1e-6, 0.3, 1.0, 3.0]),
    top_k=st.sampled_from([0, 1, 7, VOCAB, 2 * VOCAB]),
    top_p=st.sampled_from([1.0, 0.9, 0.3, 1e-9]),
    min_p=st.sampled_from([0.0, 0.05, 1.0]),
    presence_penalty=st.sampled_from([0.0, 1.5]),
    repetition_penalty=st.sampled_from([1.0, 1.3]),
    logit_bias=st.sampled_from([{}, {5: 100.0}, {9: -100.0}]),
    logprobs=st.sampled_from([None, 0, 4]),
)


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(ALL_PARAMS, st.integers(0, 2**40)), min_size=1, max_size=6),
    seed=st.integers(0, 9),
)
def test_each_row_draws_what_the_sampler_draws(device: str, rows, seed: int) -> None:
    logits = torch.randn(len(rows), VOCAB, generator=torch.Generator().manual_seed(seed)) * 3
    requests = [make(params, own, output=(5, 9, 5)) for params, own in rows]
    draw = Draw(logits.to(device), requests)
    found, expected = draw.samples(), sample(logits, requests)
    assert [one.token_id for one in found] == draw.ids_R.tolist()
    assert [one.token_id for one in found] == [one.token_id for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.logprob is None) == (other.logprob is None)
        if one.logprob is not None and other.logprob is not None:
            assert list(one.logprob.top) == list(other.logprob.top)
            assert one.logprob.logprob == pytest.approx(other.logprob.logprob, abs=1e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_an_error(device: str, broken: float) -> None:
    logits = torch.zeros(2, 6, device=device)
    logits[1, 2] = broken
    draw = Draw(logits, [make(SamplingParams(temperature=t), 0) for t in (0, 1)])
    with pytest.raises(EngineError, match="not finite"):
        draw.samples()


@pytest.mark.parametrize("device", DEVICES)
def test_the_runners_logits_are_left_alone(device: str) -> None:
    logits = torch.randn(1, 50, device=device)
    before = logits.clone()
    Draw(logits, [make(SamplingParams(logit_bias={1: 5.0}, repetition_penalty=2.0), 0)])
    assert torch.equal(logits, before)
