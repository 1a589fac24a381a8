import pytest

from raylm.core.sampling import SamplingParams
from raylm.infer.scheduling.request import Request
from raylm.infer.speculation.draft_model import DraftModel


def make(tokens: list[int]) -> Request:
    return Request("r", tokens, len(tokens), 999, SamplingParams(), seed=0)


def test_its_guesses_are_its_own_continuation(make_runner) -> None:
    runner = make_runner()
    requests = {make([5, 6, 7]): 3, make(list(range(40))): 2, make([9]): 4}
    found = DraftModel(runner, max_batch_tokens=16).propose(requests)
    assert found == {r: runner.continuation(r.token_ids, most) for r, most in requests.items()}
    assert max(len(batch.tokens_N) for batch in runner.forwards) <= 16


@pytest.mark.parametrize("held", [0, 1, 2, 3])
def test_what_did_not_hold_is_read_over(make_runner, held: int) -> None:
    runner = make_runner()
    drafter, request = DraftModel(runner, 64), make([5, 6, 7])
    for _ in range(5):
        guesses = drafter.propose({request: 3})[request]
        assert guesses == runner.continuation(request.token_ids, 3)
        request.token_ids += [*guesses[:held], 250]
    read = sum(len(batch.tokens_N) for batch in runner.forwards)
    assert read <= 5 * (3 + 3 + 1) + 3  # never a whole request again


def test_no_room_no_guess_and_no_leak(make_runner) -> None:
    drafter = DraftModel(make_runner(num_blocks=4), 64)
    small, large = make([1, 2, 3]), make([1] * 20)
    found = drafter.propose({large: 2, small: 2})
    assert (found[large], len(found[small])) == ([], 2)
    drafter.forget(small)
    drafter.forget(large)
    half = make([1] * 14)
    assert len(drafter.propose({half: 2})[half]) == 2


def test_an_engine_with_a_draft_answers_as_one_without(
    make_runner, make_engine, make_speculator
) -> None:
    def answers(drafted: bool) -> list[list[int]]:
        small = make_runner(num_blocks=48)
        speculator = make_speculator(DraftModel(small, 16)) if drafted else None
        engine = make_engine(make_runner(), speculator=speculator)
        prompts = [list(range(3, 9 + number)) for number in range(5)]
        found: dict[str, list[int]] = {str(number): [] for number in range(5)}
        for number, prompt in enumerate(prompts):
            wanted = SamplingParams(max_tokens=12, temperature=0, ignore_eos=True)
            engine.submit(engine.requests_for(str(number), prompt, wanted))
        while engine.has_work:
            for name, delta in engine.step():
                found[name] += delta.token_ids
        if speculator is not None:
            assert speculator.policy.accepted == speculator.policy.drafted > 10
        return list(found.values())

    assert answers(drafted=True) == answers(drafted=False)
