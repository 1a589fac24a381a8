"""Kernels that fail while they run: the answers stay what they are, and one warning is given."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from raylm.core.sampling import SamplingParams
from raylm.infer.runners.fallback import FallbackRunner
from raylm.infer.speculation.draft_model import DraftModel
from raylm.infer.speculation.drafter import NgramDrafter
from raylm.infer.trace import report
from tests.infer.conftest import EchoRunner, MakeEngine

PROMPTS = {"a": [5, 6, 7], "b": [9] * 11, "c": [5, 6, 7, 8, 5, 6, 7], "d": [5, 6, 7, 8, 5]}
GREEDY = SamplingParams(max_tokens=12, temperature=0, ignore_eos=True)
FAILURE = RuntimeError("illegal instruction")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "raylm")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("guesses", [False, True])
@pytest.mark.parametrize("failing_step", [0, 1, 4])
def test_what_runs_is_computed_again_and_answered(
    make_runner: Callable[..., EchoRunner],
    make_engine: MakeEngine,
    make_speculator: Callable,
    warnings: Callable[[], list[str]],
    tmp_path: Path,
    failing_step: int,
    guesses: bool,
) -> None:
    """The other's cache is empty, so a token that is not computed again would show."""
    first, other = make_runner(num_blocks=20), make_runner(num_blocks=20)
    engine = make_engine(
        FallbackRunner(first, lambda: other),
        max_running=3,
        max_batch_tokens=8,
        speculator=make_speculator(NgramDrafter()) if guesses else None,
        trace_path=tmp_path / "trace",
    )
    for name, prompt in PROMPTS.items():
        engine.submit(engine.requests_for(name, prompt, GREEDY))
    answers: dict[str, list[int]] = {name: [] for name in PROMPTS}
    steps = 0
    while engine.has_work:
        if steps == failing_step:
            first.fail = FAILURE
        for name, delta in engine.step():
            answers[name] += delta.token_ids
        steps += 1
    assert answers == {name: first.continuation(p, 12) for name, p in PROMPTS.items()}
    assert other.forwards
    assert engine.stats().free_blocks == engine.stats().total_blocks == 20
    assert warnings() == [
        "a kernel failed while it ran (illegal instruction); EchoRunner goes on from here"
    ]
    assert report(tmp_path / "trace") is None


def test_the_other_has_nobody_behind_it(
    make_runner: Callable[..., EchoRunner], make_engine: MakeEngine
) -> None:
    broken = make_runner(fail=FAILURE)
    engine = make_engine(FallbackRunner(make_runner(fail=FAILURE), lambda: broken))
    engine.submit(engine.requests_for("r", [1, 2, 3], GREEDY))
    assert engine.step() == []
    with pytest.raises(RuntimeError, match="illegal instruction"):
        engine.step()


@pytest.mark.parametrize("error", [ValueError("a token too large"), MemoryError("logits")])
def test_a_bad_batch_or_little_memory_is_no_failure_of_kernels(
    make_runner: Callable[..., EchoRunner],
    make_engine: MakeEngine,
    warnings: Callable[[], list[str]],
    error: Exception,
) -> None:
    first = make_runner(fail=error)
    engine = make_engine(FallbackRunner(first, make_runner))
    engine.submit(engine.requests_for("r", [1, 2, 3], GREEDY))
    with pytest.raises(type(error)):
        engine.step()
    assert not warnings()


def test_a_draft_model_reads_its_requests_again(
    make_runner: Callable[..., EchoRunner], make_engine: MakeEngine, make_speculator: Callable
) -> None:
    first, other = make_runner(), make_runner()
    drafter = DraftModel(FallbackRunner(first, lambda: other), max_batch_tokens=8)
    speculator = make_speculator(drafter)
    engine = make_engine(make_runner(), speculator=speculator)
    engine.submit(engine.requests_for("r", [1, 2, 3], GREEDY))
    tokens: list[int] = []
    while engine.has_work:
        first.fail = FAILURE if len(tokens) > 4 else None
        tokens += [token for _, delta in engine.step() for token in delta.token_ids]
    assert tokens == first.continuation([1, 2, 3], 12)
    assert other.forwards
    assert speculator.policy.accepted == speculator.policy.drafted > 5
