import math
from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import EngineError
from raylm.core.sampling import SamplingParams
from raylm.infer.sampling.sampler import sample
from raylm.infer.scheduling.request import Request

VOCAB = 50


def make(params: SamplingParams, seed: int = 0, output: tuple[int, ...] = ()) -> Request:
    return Request("r", [1, 2, *output], prompt_length=2, max_length=99, params=params, seed=seed)


def draw(logits: torch.Tensor, params: SamplingParams, seed: int = 0, **kept: object) -> int:
    return sample(logits[None], [make(params, seed, **kept)])[0].token_id


def draws(logits: torch.Tensor, params: SamplingParams, count: int = 2000) -> Counter[int]:
    requests = [make(params, seed) for seed in range(count)]
    samples = sample(logits.expand(count, -1), requests)
    return Counter(drawn.token_id for drawn in samples)


def log(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities).log()


GREEDY = SamplingParams(temperature=0)


def test_greedy_is_the_argmax() -> None:
    logits = torch.randn(8, VOCAB)
    found = [s.token_id for s in sample(logits, [make(GREEDY)] * 8)]
    assert found == logits.argmax(dim=-1).tolist()


def test_frequencies_follow_the_softmax() -> None:
    counts = draws(log(0.6, 0.3, 0.1), SamplingParams())
    assert [counts[i] / 2000 for i in range(3)] == pytest.approx([0.6, 0.3, 0.1], abs=0.04)


def test_temperature_sharpens_and_flattens() -> None:
    logits = log(0.6, 0.4)
    cold, hot = (
        draws(logits, SamplingParams(temperature=0.2)),
        draws(logits, SamplingParams(temperature=5.0)),
    )
    assert cold[0] / 2000 == pytest.approx(0.6**5 / (0.6**5 + 0.4**5), abs=0.03)
    assert hot[0] / 2000 == pytest.approx(0.52, abs=0.04)


def test_a_tiny_temperature_is_nearly_greedy() -> None:
    logits = torch.randn(VOCAB) * 30
    assert set(draws(logits, SamplingParams(temperature=1e-6), 50)) == {int(logits.argmax())}


@pytest.mark.parametrize(
    ("params", "left"),
    [
        (SamplingParams(top_k=2), {0: 0.4 / 0.7, 1: 0.3 / 0.7}),
        (SamplingParams(top_p=0.6), {0: 0.4 / 0.7, 1: 0.3 / 0.7}),
        (SamplingParams(top_p=0.4), {0: 1.0}),
        (SamplingParams(top_p=1e-9), {0: 1.0}),
        (SamplingParams(min_p=0.45), {0: 4 / 9, 1: 3 / 9, 2: 2 / 9}),
        (SamplingParams(min_p=1.0), {0: 1.0}),
        (SamplingParams(top_k=3, top_p=0.5), {0: 4 / 7, 1: 3 / 7}),
        (SamplingParams(top_k=99), {0: 0.4, 1: 0.3, 2: 0.2, 3: 0.1}),
    ],
)
def test_what_the_cuts_leave(params: SamplingParams, left: dict[int, float]) -> None:
    counts = draws(log(0.4, 0.3, 0.2, 0.1), params)
    assert counts.keys() == left.keys()
    assert {i: counts[i] / 2000 for i in left} == pytest.approx(left, abs=0.04)


@pytest.mark.parametrize("cut", [{"top_p": 0.9}, {"min_p": 0.5}])
def test_a_flat_distribution_is_cut_beyond_the_first_guess(cut: dict[str, float]) -> None:
    falling = torch.linspace(1e-3, 0, 4000)
    assert max(draws(falling, SamplingParams(**cut), 50)) > 2000


@given(
    seed=st.integers(0, 2**63 - 1),
    company=st.integers(0, 5),
    place=st.integers(0, 5),
    temperature=st.floats(0.1, 5.0),
)
def test_a_seed_gives_the_same_token_in_any_batch(
    seed: int, company: int, place: int, temperature: float
) -> None:
    params = SamplingParams(temperature=temperature, top_p=0.9)
    logits = torch.randn(company + 1, VOCAB, generator=torch.Generator().manual_seed(1))
    place = min(place, company)
    requests = [make(SamplingParams(), other) for other in range(company + 1)]
    requests[place] = make(params, seed)
    assert sample(logits, requests)[place].token_id == draw(logits[place], params, seed)


def test_each_place_in_the_output_is_drawn_anew() -> None:
    logits = torch.zeros(VOCAB)
    found = {draw(logits, SamplingParams(), 3, output=(0,) * length) for length in range(20)}
    assert len(found) > 5


def test_a_bias_forces_and_bans() -> None:
    logits = torch.randn(VOCAB)
    banned = int(logits.argmax())
    assert draw(logits, replace(GREEDY, logit_bias={7: 100.0})) == 7
    assert draw(logits, replace(GREEDY, logit_bias={banned: -100.0})) != banned


@pytest.mark.parametrize(
    ("params", "output", "expected"),
    [
        # token 3 leads by 1.0; token 1 belongs to the prompt, token 3 to the output
        ({"presence_penalty": 0.9}, (3,), 3),
        ({"presence_penalty": 1.1}, (3,), 4),
        ({"presence_penalty": 0.9}, (3, 3, 3), 3),
        ({"frequency_penalty": 0.4}, (3, 3), 3),
        ({"frequency_penalty": 0.4}, (3, 3, 3), 4),
        ({"repetition_penalty": 2.0}, (3,), 4),
        ({"repetition_penalty": 1.2}, (3,), 3),
    ],
)
def test_penalties_on_the_output(
    params: dict[str, float], output: tuple[int, ...], expected: int
) -> None:
    logits = torch.zeros(6)
    logits[3], logits[4] = 3.0, 2.0
    assert draw(logits, SamplingParams(temperature=0, **params), output=output) == expected


def test_only_repetition_counts_the_prompt() -> None:
    logits = torch.zeros(6)
    logits[1], logits[4] = 3.0, 2.0
    assert draw(logits, replace(GREEDY, presence_penalty=2.0)) == 1
    assert draw(logits, replace(GREEDY, repetition_penalty=2.0)) == 4


def test_repetition_makes_a_negative_logit_more_so() -> None:
    logits = torch.full((6,), -3.0)
    logits[1] = -2.0
    assert draw(logits, replace(GREEDY, repetition_penalty=2.0)) not in {1, 2}


def test_logprobs_are_the_models_own() -> None:
    logits = torch.randn(VOCAB)
    params = SamplingParams(temperature=0, logprobs=3, logit_bias={7: 100.0})
    (drawn,) = sample(logits[None], [make(params)])
    expected = logits.log_softmax(dim=-1)
    assert drawn.logprob is not None
    assert drawn.logprob.token_id == drawn.token_id == 7
    assert drawn.logprob.logprob == pytest.approx(float(expected[7]))
    assert list(drawn.logprob.top) == expected.topk(3).indices.tolist()
    assert list(drawn.logprob.top.values()) == pytest.approx(expected.topk(3).values.tolist())


def test_logprobs_only_where_asked_for() -> None:
    plain, bare = sample(torch.zeros(2, 6), [make(GREEDY), make(replace(GREEDY, logprobs=0))])
    assert plain.logprob is None
    assert bare.logprob is not None
    assert bare.logprob.top == {}
    assert bare.logprob.logprob == pytest.approx(-math.log(6))


def test_the_callers_logits_are_left_alone() -> None:
    logits = torch.randn(1, VOCAB)
    before = logits.clone()
    sample(logits, [make(SamplingParams(logit_bias={1: 5.0}, repetition_penalty=2.0))])
    assert torch.equal(logits, before)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_logits_that_are_no_numbers_are_an_error(broken: float) -> None:
    logits = torch.zeros(2, 6)
    logits[1, 2] = broken
    with pytest.raises(EngineError, match="not finite"):
        sample(logits, [make(GREEDY), make(GREEDY)])


def test_no_rows_no_tokens() -> None:
    assert sample(torch.empty(0, VOCAB), []) == []
