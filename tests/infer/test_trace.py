import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from raylm.core.errors import ConfigError, DataError
from raylm.core.sampling import SamplingParams
from raylm.infer.llm import LLM
from raylm.infer.scheduling.block_pool import BlockPool
from raylm.infer.scheduling.scheduler import Limits
from raylm.infer.trace import RecordingScheduler, replay, report
from raylm.models.source import ModelSource
from tests.infer.dry_run import DryRun, make_requests


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "trace.jsonl"


def record(path: Path, seed: int = 0, lag: int = 0) -> DryRun:
    """Random traffic of three users and priorities in a cache that is too small for it."""
    dice = random.Random(seed)
    limits = Limits(max_running=4, max_batch_tokens=9)
    engine = DryRun(RecordingScheduler(BlockPool(12, 4), limits, path), lag, stop_id=0)
    for number in range(25):
        prompt = [dice.randrange(2) for _ in range(dice.randint(1, 24))]
        user, priority = dice.choice("abc"), dice.randint(-1, 1)
        engine.submit(
            *make_requests(
                prompt, dice.randint(1, 24), dice.randint(1, 2), str(number), user, priority
            )
        )
        for _ in range(dice.randint(0, 4)):
            for request in engine.scheduler.running:
                request.guesses = [1] * dice.randrange(3) if lag == 0 else []
            engine.step()
        if engine.unfinished and dice.random() < 0.2:
            engine.abort(dice.choice(engine.unfinished))
    engine.run()
    return engine


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_a_replay_plans_the_same_chunks_in_the_same_blocks(path: Path, seed: int, lag: int) -> None:
    engine = record(path, seed, lag)
    assert engine.scheduler.totals.preemptions > 0
    assert engine.scheduler.totals.cached_tokens > 0
    steps = list(replay(path))
    assert [number for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) > 50
    assert any(row[4] for _, then, _ in steps for row in then) == (lag == 0)
    assert all(then == now for _, then, now in steps)
    assert report(path) is None


def test_a_step_that_is_planned_otherwise_is_shown(path: Path) -> None:
    record(path)
    lines = path.read_text().splitlines()
    place, event = next(
        (i, e) for i, line in enumerate(lines) if (e := json.loads(line)).get("plan")
    )
    event["plan"][0][2] += 1
    lines[place] = json.dumps(event)
    path.write_text("\n".join(lines))
    message = report(path)
    assert message is not None
    assert f"step {event['step']} was planned as [[0, 0, {event['plan'][0][2]}," in message


def test_requests_of_a_step_that_failed_are_replayed_as_they_were(path: Path) -> None:
    engine = DryRun(RecordingScheduler(BlockPool(12, 4), Limits(2, 16), path))
    (failed,) = make_requests([1] * 9, 5)
    engine.submit(failed)
    engine.scheduler.schedule()  # and the engine raises before it counts what was computed
    engine.abort(failed)
    engine.submit(make_requests([1] * 9, 5)[0])
    engine.run()
    assert report(path) is None


def test_a_served_model_records_itself(tiny_source: ModelSource, tmp_path: Path) -> None:
    llm = LLM(tiny_source, threads=1, max_running=2, trace_path=tmp_path / "trace-{pid}.jsonl")
    params = SamplingParams(max_tokens=20, temperature=0, n=2)
    llm.generate([[5, 6, 7] * 8, [5, 6, 7] * 9], params)
    path = tmp_path / f"trace-{os.getpid()}.jsonl"
    assert report(path) is None
    events = map(json.loads, path.read_text().splitlines())
    assert [event["index"] for event in events if "submit" in event] == [0, 1, 0, 1]


def test_the_command_says_what_differs(path: Path) -> None:
    record(path)
    command = [sys.executable, "-m", "raylm.infer.trace", str(path)]
    assert subprocess.run(command, check=False).returncode == 0
    path.write_text(path.read_text().replace(",true,", ",false,", 1))
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "was planned as" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no trace of format 1"),
        ('{"trace": 7}\n', "no trace of format 1"),
        ("[]\n", "trace.jsonl:1 is no JSON object"),
        ('{"trace": 1', "trace.jsonl:1 is no JSON object"),
    ],
)
def test_what_is_no_trace_is_refused(path: Path, text: str, message: str) -> None:
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        report(path)


def test_a_trace_that_is_missing_is_named(path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        report(path)


def test_a_trace_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trace_path .* cannot be written: No such file"):
        RecordingScheduler(BlockPool(4, 4), Limits(1, 1), tmp_path / "no" / "trace.jsonl")


def test_the_command_says_in_a_line_what_is_no_trace(path: Path) -> None:
    path.write_text("{}\n")
    command = [sys.executable, "-m", "raylm.infer.trace", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr == f"{path} is no trace of format 1; record one with trace_path\n"
