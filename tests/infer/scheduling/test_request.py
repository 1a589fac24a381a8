import pytest

from raylm.core.sampling import FinishReason, SamplingParams
from raylm.infer.scheduling.request import (
    LEGAL_TRANSITIONS,
    PLACEHOLDER,
    Request,
    RequestState,
    requests_for,
)

EOS = frozenset({0})


def make(params: SamplingParams, prompt: list[int] | None = None) -> list[Request]:
    return requests_for("r", prompt or [5, 6, 7], params, eos_ids=EOS, max_model_len=10)


def request_in(state: RequestState) -> Request:
    (request,) = make(SamplingParams())
    paths = {
        RequestState.WAITING: [],
        RequestState.RUNNING: [RequestState.RUNNING],
        RequestState.PREEMPTED: [RequestState.RUNNING, RequestState.PREEMPTED],
        RequestState.FINISHED: [RequestState.FINISHED],
    }
    for step in paths[state]:
        request.state = step
    return request


@pytest.mark.parametrize("old", RequestState)
@pytest.mark.parametrize("new", RequestState)
def test_only_the_transitions_of_the_table_are_legal(old: RequestState, new: RequestState) -> None:
    request = request_in(old)
    if new in LEGAL_TRANSITIONS[old]:
        request.state = new
        assert request.state is new
    else:
        with pytest.raises(ValueError, match=f"{old.name} cannot become {new.name}"):
            request.state = new


def test_lengths_are_derived_from_the_tokens() -> None:
    (request,) = make(SamplingParams())
    assert (request.prompt_length, request.output_length, request.remaining_length) == (3, 0, 3)
    request.computed_length = 3
    request.token_ids.append(9)
    assert (request.prompt_ids, request.output_ids) == ([5, 6, 7], [9])
    assert request.remaining_length == 1


def test_placeholders_count_as_tokens_but_not_as_known_ones() -> None:
    (request,) = make(SamplingParams(max_tokens=2))
    request.token_ids += [9, PLACEHOLDER]
    assert (request.known_length, len(request.token_ids)) == (4, 5)
    assert request.is_complete


def test_ranks_order_turns_then_priorities_then_first_admissions() -> None:
    requests = [make(SamplingParams())[0] for _ in range(5)]
    for request, (on_turn, priority, seniority) in zip(
        requests,
        [(False, 1, 9), (False, 1, 3), (True, -9, 8), (False, 0, 1), (False, 1, 2)],
        strict=True,
    ):
        request.on_turn, request.priority, request.seniority = on_turn, priority, seniority
    assert sorted(range(5), key=lambda i: requests[i].rank) == [2, 4, 1, 0, 3]


def test_all_choices_have_the_callers_user_and_priority() -> None:
    made = requests_for(
        "r", [1], SamplingParams(n=3), eos_ids=EOS, max_model_len=9, user="ada", priority=-2
    )
    assert {(request.user, request.priority) for request in made} == {("ada", -2)}


@pytest.mark.parametrize(
    ("params", "token", "reason"),
    [
        (SamplingParams(), 0, FinishReason.STOP),
        (SamplingParams(ignore_eos=True), 0, None),
        (SamplingParams(stop_token_ids=(8,)), 8, FinishReason.STOP),
        (SamplingParams(stop_token_ids=(8,), ignore_eos=True), 8, FinishReason.STOP),
        (SamplingParams(), 8, None),
        (SamplingParams(max_tokens=1), 8, FinishReason.LENGTH),
        (SamplingParams(max_tokens=1), 0, FinishReason.STOP),
    ],
)
def test_why_a_request_ends(
    params: SamplingParams, token: int, reason: FinishReason | None
) -> None:
    (request,) = make(params)
    request.token_ids.append(token)
    assert request.reason_to_finish(len(request.token_ids) - 1) is reason


@pytest.mark.parametrize("max_tokens", [None, 7, 1000])
def test_a_full_context_ends_a_request(max_tokens: int | None) -> None:
    (request,) = make(SamplingParams(max_tokens=max_tokens, ignore_eos=True))
    assert request.max_length == 10


def test_choices_share_the_prompt_and_draw_differently() -> None:
    first, second, third = make(SamplingParams(n=3, seed=11))
    assert [r.index for r in (first, second, third)] == [0, 1, 2]
    assert len({r.seed for r in (first, second, third)}) == 3
    assert first.seed == make(SamplingParams(n=1, seed=11))[0].seed
    second.token_ids.append(1)
    assert first.token_ids == third.token_ids == [5, 6, 7]


def test_without_a_seed_every_call_draws_its_own() -> None:
    assert make(SamplingParams())[0].seed != make(SamplingParams())[0].seed
