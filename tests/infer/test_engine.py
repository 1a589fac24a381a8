from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raylm.core.errors import EngineError, PromptTooLongError, RequestError
from raylm.core.sampling import FinishReason, SamplingParams
from raylm.data.tokenizer import Tokenizer
from raylm.infer.engine import Engine
from raylm.infer.sampling.outputs import RequestOutput
from raylm.infer.speculation.drafter import NgramDrafter

PROMPT = [5, 6, 7]


def params(max_tokens: int = 6, **others: object) -> SamplingParams:
    return SamplingParams(max_tokens=max_tokens, temperature=0, ignore_eos=True, **others)


def run(engine: Engine, prompt: list[int], wanted: SamplingParams) -> RequestOutput:
    engine.submit(engine.requests_for("r", prompt, wanted))
    deltas = []
    while engine.has_work:
        deltas += [delta for _, delta in engine.step()]
    return RequestOutput.of("r", prompt, deltas)


class Oracle:
    """Knows what the runner will say, and every fourth time says something else."""

    def __init__(self, runner) -> None:
        self._runner, self._asked = runner, 0

    def propose(self, wanted):
        return {request: self._guesses(request, most) for request, most in wanted.items()}

    def forget(self, request) -> None: ...

    def _guesses(self, request, most: int) -> list[int]:
        self._asked += 1
        guesses = self._runner.continuation(request.token_ids, most)
        if self._asked % 4 == 0:
            guesses[self._asked % most] += 1
        return guesses


def test_guesses_that_hold_come_in_one_step(make_runner, make_engine, make_speculator) -> None:
    runner = make_runner()
    speculator = make_speculator(Oracle(runner))
    engine = make_engine(runner, speculator=speculator)
    engine.submit(engine.requests_for("r", PROMPT, params(11)))
    steps = []
    while engine.has_work:
        steps.append([delta.token_ids[0] for _, delta in engine.step()])
    assert [token for step in steps for token in step] == runner.continuation(PROMPT, 11)
    assert [len(step) for step in steps] == [1, 4, 4, 2]
    assert (speculator.policy.drafted, speculator.policy.accepted) == (7, 7)
    assert engine.stats().free_blocks == 64


@pytest.mark.parametrize("temperature", [0.0, 1.0, 2.0])
def test_guesses_change_no_draw(
    make_runner, make_engine, make_speculator, temperature: float
) -> None:
    """With seeds and penalties, whose place counts the guesses before."""

    def tokens(guesses: bool) -> list[int]:
        wanted = SamplingParams(
            max_tokens=40,
            temperature=temperature,
            seed=5,
            presence_penalty=0.5,
            repetition_penalty=1.2,
            ignore_eos=True,
        )
        runner = make_runner()
        speculator = make_speculator(Oracle(runner)) if guesses else None
        output = run(make_engine(runner, speculator=speculator), PROMPT, wanted)
        assert speculator is None or speculator.policy.drafted > 10
        return output.token_ids

    assert tokens(guesses=True) == tokens(guesses=False)


def test_a_request_lives_from_prompt_to_answer(make_runner, make_engine) -> None:
    runner = make_runner()
    engine = make_engine(runner)
    output = run(engine, PROMPT, params())
    assert output.token_ids == runner.continuation(PROMPT, 6)
    assert output.text == engine.tokenizer.decode(output.token_ids)
    assert output.finish_reason is FinishReason.LENGTH
    assert engine.stats().free_blocks == engine.stats().total_blocks == 64


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.lists(st.integers(1, 300), min_size=1, max_size=30),
            st.integers(1, 20),
            st.integers(1, 3),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=7,
    ),
    num_blocks=st.integers(13, 30),
    max_running=st.integers(1, 5),
    abort_at=st.integers(0, 12),
    lead=st.integers(0, 1),
    guessing=st.sampled_from([None, "ngram", "mostly right"]),
)
def test_company_chunks_sharing_preemption_and_guesses_change_no_answer(
    make_runner,
    make_engine,
    make_speculator,
    calls,
    num_blocks,
    max_running,
    abort_at,
    lead,
    guessing,
) -> None:
    """The runner reads every token back through the block tables, so a leak would show."""
    runner = make_runner(num_blocks=num_blocks, lead=lead)
    speculator = None
    if guessing is not None:
        drafter = NgramDrafter() if guessing == "ngram" else Oracle(runner)
        speculator = make_speculator(drafter)
    engine = make_engine(
        runner,
        max_model_len=51,
        max_running=max_running,
        max_batch_tokens=8,
        speculator=speculator,
    )
    answers: dict[tuple[str, int], list[int]] = {}
    waiting = list(enumerate(calls))
    steps = 0
    while waiting or engine.has_work:
        while waiting and waiting[0][1][3] <= steps:
            number, (prompt, length, n, _) = waiting.pop(0)
            engine.submit(engine.requests_for(str(number), prompt, params(length, n=n)))
        for request_id, delta in engine.step():
            answers.setdefault((request_id, delta.index), []).extend(delta.token_ids)
        steps += 1
        if steps == abort_at:
            engine.abort("0")
    for number, (prompt, length, n, _) in enumerate(calls):
        for index in range(n):
            found = answers.get((str(number), index), [])
            expected = runner.continuation(prompt, length)
            assert found == expected or (number == 0 and found == expected[: len(found)])
    assert engine.stats().free_blocks == num_blocks


def test_chunks_are_one_batch_per_step(make_runner, make_engine) -> None:
    runner = make_runner()
    engine = make_engine(runner, max_batch_tokens=4)
    run(engine, list(range(1, 11)), params(2))
    assert [len(batch.tokens_N) for batch in runner.forwards] == [4, 4, 2, 1]


def test_a_step_begins_before_the_tokens_of_the_last_are_read(make_runner, make_engine) -> None:
    runner = make_runner(lead=1)
    engine = make_engine(runner)
    engine.submit(engine.requests_for("r", PROMPT, params(3)))
    seen = []
    while engine.has_work:
        events = engine.step()
        seen.append((len(runner.forwards), [d.token_ids[0] for _, d in events]))
    first, second, third = runner.continuation(PROMPT, 3)
    assert seen == [(1, []), (2, [first]), (3, [second]), (3, [third])]
    assert [int(batch.tokens_N[-1]) for batch in runner.forwards] == [PROMPT[-1], -1, -1]
    assert engine.stats().free_blocks == 64


def test_one_step_too_many_is_drawn_in_vain(make_runner, make_engine) -> None:
    runner = make_runner(lead=1)
    second = runner.continuation(PROMPT, 2)
    engine = make_engine(runner)
    output = run(engine, PROMPT, params(9, stop_token_ids=(second[1],)))
    assert output.token_ids == second
    assert len(runner.forwards) == 3
    assert engine.stats().free_blocks == 64
    assert run(engine, PROMPT, params(3)).token_ids == runner.continuation(PROMPT, 3)


@pytest.mark.parametrize("lead", [0, 1])
def test_who_looks_back_sees_its_last_token(make_runner, make_engine, lead: int) -> None:
    """A token leads by eight points until it was said, and then is behind two others."""
    runner = make_runner(lead=lead)
    runner.next_token = lambda context: 17
    wanted = params(5, repetition_penalty=10.0, presence_penalty=2.0, logit_bias={18: 2.0, 19: 1.5})
    output = run(make_engine(runner), PROMPT, wanted)
    assert output.token_ids[:3] == [17, 18, 19]


def test_a_failed_step_names_all_whose_tokens_it_had(make_runner, make_engine) -> None:
    runner = make_runner(lead=1)
    engine = make_engine(runner)
    engine.submit(engine.requests_for("r", PROMPT, params(9)))
    engine.step()
    runner.fail = RuntimeError("bad kernel")
    with pytest.raises(RuntimeError):
        engine.step()
    assert engine.running_ids == {"r"}
    engine.abort("r")
    runner.fail = None
    assert run(engine, PROMPT, params(3)).token_ids == runner.continuation(PROMPT, 3)


@pytest.mark.parametrize("lead", [0, 1])
def test_what_a_failed_step_computed_is_never_found_again(
    make_runner, make_engine, lead: int
) -> None:
    """Ahead of what it has read, the engine learns of it when it counts as computed."""
    runner = make_runner(lead=lead)
    engine = make_engine(runner)
    prompt = list(range(1, 13))
    forward = runner.forward
    runner.forward = lambda batch: forward(batch) * float("nan")
    with pytest.raises(EngineError, match="not finite"):
        run(engine, prompt, params(9))
    engine.abort("r")
    runner.forward = forward
    output = run(engine, prompt, params(3))
    assert output.token_ids == runner.continuation(prompt, 3)
    assert [len(batch.tokens_N) for batch in runner.forwards][-3] == len(prompt)


def test_an_abort_frees_the_blocks_at_once(make_runner, make_engine) -> None:
    engine = make_engine(make_runner())
    engine.submit(engine.requests_for("a", PROMPT, params(50, n=2)))
    engine.submit(engine.requests_for("b", PROMPT, params(3)))
    engine.step()
    engine.abort("a")
    assert engine.open_ids == {"b"}
    engine.abort("nobody")
    while engine.has_work:
        engine.step()
    assert engine.stats().free_blocks == 64


def test_a_stop_token_has_no_text(make_runner, make_engine) -> None:
    runner = make_runner()
    second = runner.continuation(PROMPT, 2)
    engine = make_engine(runner)
    output = run(engine, PROMPT, params(stop_token_ids=(second[1],)))
    assert output.token_ids == second
    assert output.text == engine.tokenizer.decode(second[:1])
    assert output.finish_reason is FinishReason.STOP


def test_eos_ends_an_answer_unless_ignored(make_runner, make_engine, tokenizer: Tokenizer) -> None:
    runner = make_runner()
    runner.next_token = lambda context: tokenizer.eos_id
    engine = make_engine(runner)
    output = run(engine, PROMPT, SamplingParams(temperature=0, max_tokens=5))
    assert (output.token_ids, output.text) == ([tokenizer.eos_id], "")
    assert output.finish_reason is FinishReason.STOP
    assert len(run(engine, PROMPT, params(5)).token_ids) == 5


def test_a_stop_string_is_cut_and_its_beginning_never_shown(
    make_runner, make_engine, tokenizer: Tokenizer
) -> None:
    words = tokenizer.encode("quick fox dog")
    runner = make_runner()
    runner.next_token = lambda context: words[(len(context) - len(PROMPT)) % len(words)]
    engine = make_engine(runner)
    engine.submit(engine.requests_for("r", PROMPT, params(50, stop=(" fox d", "zzz"))))
    deltas = []
    while engine.has_work:
        deltas += [delta for _, delta in engine.step()]
    assert "".join(delta.text for delta in deltas) == "quick"
    assert deltas[-1].finish_reason is FinishReason.STOP


def test_held_text_comes_with_the_end(make_runner, make_engine, tokenizer: Tokenizer) -> None:
    words = tokenizer.encode("quick fox")
    runner = make_runner()
    runner.next_token = lambda context: words[(len(context) - len(PROMPT)) % len(words)]
    output = run(make_engine(runner), PROMPT, params(len(words), stop=(" fox dog",)))
    assert output.text == "quick fox"
    assert output.finish_reason is FinishReason.LENGTH


def test_a_full_context_ends_an_answer(make_runner, make_engine) -> None:
    engine = make_engine(make_runner(), max_model_len=10)
    output = run(engine, PROMPT, SamplingParams(temperature=0, ignore_eos=True))
    assert len(output.token_ids) == 7
    assert output.finish_reason is FinishReason.LENGTH


def test_choices_share_the_prompts_blocks(make_runner, make_engine) -> None:
    engine = make_engine(make_runner(), max_batch_tokens=32)
    engine.submit(engine.requests_for("r", list(range(1, 14)), params(4, n=3)))
    cached = {delta.index: delta.cached_tokens for _ in range(4) for _, delta in engine.step()}
    assert cached == {0: 0, 1: 12, 2: 12}


@pytest.mark.parametrize("length", [10, 11, 500])
def test_a_prompt_without_room_for_an_answer_names_both_numbers(
    make_runner, make_engine, length: int
) -> None:
    engine = make_engine(make_runner(), max_model_len=10)
    with pytest.raises(PromptTooLongError, match=rf"has {length} tokens .* holds 10") as caught:
        engine.requests_for("r", [1] * length, SamplingParams())
    assert (caught.value.prompt_tokens, caught.value.limit_tokens) == (length, 10)


@pytest.mark.parametrize(
    ("prompt", "wanted", "message"),
    [
        ([], SamplingParams(), "the prompt is empty"),
        ([1, -1], SamplingParams(), "prompt names token -1"),
        ([1, 10**9], SamplingParams(), "prompt names token 1000000000"),
        ([1], SamplingParams(logit_bias={10**9: 1.0}), "logit_bias names token 1000000000"),
        ([1], SamplingParams(logit_bias={3: float("nan")}), "logit_bias of token 3 is nan"),
        ([1], SamplingParams(logit_bias={3: 1e38}), r"must lie in \[-100, 100\]"),
    ],
)
def test_what_could_never_be_served_is_refused(
    make_runner: Callable, make_engine: Callable, prompt, wanted, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        make_engine(make_runner()).requests_for("r", prompt, wanted)
