import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from raylm.core.errors import EngineError
from raylm.core.sampling import SamplingParams
from raylm.infer.engine import Engine
from raylm.infer.engine_thread import EngineThread, Event
from raylm.infer.sampling.outputs import Delta

PARAMS = SamplingParams(max_tokens=4, temperature=0, ignore_eos=True)
LONG = SamplingParams(temperature=0, ignore_eos=True)

Started = tuple[EngineThread, queue.SimpleQueue[list[Event]]]


@contextmanager
def started(engine: Engine) -> Iterator[Started]:
    delivered: queue.SimpleQueue[list[Event]] = queue.SimpleQueue()
    thread = EngineThread(engine, lambda events: delivered.put(list(events)))
    thread.start()
    try:
        yield thread, delivered
    finally:
        thread.stop()


def until_failure(delivered: queue.SimpleQueue[list[Event]]) -> dict[str, EngineError]:
    while True:
        failures = {
            request_id: event
            for request_id, event in delivered.get(timeout=5)
            if isinstance(event, EngineError)
        }
        if failures:
            return failures


def test_each_step_is_delivered_once(make_runner: Callable, make_engine: Callable) -> None:
    runner = make_runner()
    engine = make_engine(runner)
    with started(engine) as (thread, delivered):
        both = [*engine.requests_for("a", [1, 2], PARAMS), *engine.requests_for("b", [3], PARAMS)]
        thread.submit(both)
        steps = [delivered.get(timeout=5) for _ in range(4)]
    assert [[request_id for request_id, _ in step] for step in steps] == [["a", "b"]] * 4
    answer = [
        event.token_ids[0] for step in steps for request_id, event in step if request_id == "a"
    ]
    assert answer == runner.continuation([1, 2], 4)


def test_an_idle_engine_sleeps(make_runner: Callable, make_engine: Callable) -> None:
    with started(make_engine(make_runner())):
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.1


def test_a_failed_step_fails_what_ran_and_the_rest_goes_on(
    make_runner: Callable, make_engine: Callable
) -> None:
    runner = make_runner()
    engine = make_engine(runner, max_running=1)
    with started(engine) as (thread, delivered):
        runner.fail = RuntimeError("bad kernel")
        thread.submit(engine.requests_for("first", [1, 2], PARAMS))
        failures = until_failure(delivered)
        runner.fail = None
        thread.submit(engine.requests_for("second", [1, 2], PARAMS))
        events = [delivered.get(timeout=5) for _ in range(4)]
        assert thread.failure is None
    assert list(failures) == ["first"]
    assert "bad kernel" in str(failures["first"])
    assert all(isinstance(event, Delta) for step in events for _, event in step)
    assert engine.stats().free_blocks == engine.stats().total_blocks


def test_an_engine_that_only_fails_gives_up_and_says_so(
    make_runner: Callable, make_engine: Callable
) -> None:
    runner = make_runner(fail=RuntimeError("no memory"))
    engine = make_engine(runner, max_running=1)
    with started(engine) as (thread, delivered):
        thread.submit([r for name in "abcde" for r in engine.requests_for(name, [1], PARAMS)])
        failed: dict[str, EngineError] = {}
        while len(failed) < 5:
            failed |= until_failure(delivered)
        assert thread.failure is not None
        assert "no memory" in str(thread.failure)
        with pytest.raises(EngineError, match="the engine has failed: no memory; restart it"):
            thread.submit(engine.requests_for("late", [1], PARAMS))
    assert failed["e"] is thread.failure
    assert engine.stats().free_blocks == engine.stats().total_blocks


def test_stopping_fails_what_is_unfinished(make_runner: Callable, make_engine: Callable) -> None:
    engine = make_engine(make_runner(num_blocks=4096), max_model_len=10_000)
    with started(engine) as (thread, delivered):
        thread.submit(engine.requests_for("r", [1], LONG))
        delivered.get(timeout=5)
        thread.stop()
        assert "shut down" in str(until_failure(delivered)["r"])
        with pytest.raises(EngineError, match="shut down"):
            thread.submit(engine.requests_for("late", [1], PARAMS))
    assert engine.stats().free_blocks == engine.stats().total_blocks
