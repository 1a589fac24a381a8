"""`raylm train`, `submit` and `resize` as people use them, on real Ray."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from ray.job_submission import JobSubmissionClient

from raylm.core.metrics import read_jsonl
from tests.clusters import cluster_with_dashboard
from tests.processes import wait_until

pytestmark = [
    pytest.mark.ray,
    pytest.mark.timeout(900),  # of a busy machine
    pytest.mark.filterwarnings("ignore:ssl=None is deprecated"),  # in Ray's own client
]

RAYLM = Path(sys.executable).parent / "raylm"
CONFIG = """
name: small
steps: 10000
workers: 3
model: {hidden_size: 64, num_layers: 2, num_heads: 2}
data: {path: PATH, sequence_length: 64, tokenizer: {train: bpe, vocab_size: 300}}
batch: {global: 12, micro: 2}
evaluation: {every: 0}
checkpoint: {every: 1000}
"""


@pytest.fixture
def config(tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(50):
        (texts / f"{number}.txt").write_text(f"text {number}: the quick brown fox jumps\n" * 40)
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG.replace("PATH", str(texts)))
    return path


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def dashboard(cache):
    with cluster_with_dashboard() as address:
        yield address


@contextmanager
def raylm_in_background(log, *words):
    with log.open("w") as output:
        process = subprocess.Popen([RAYLM, *map(str, words)], stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def raylm(*words):
    command = [str(RAYLM), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def rows(run, file="metrics.jsonl"):
    path = run / file
    return read_jsonl(path) if path.exists() else []


def events(run, name):
    return [event for event in rows(run, "events.jsonl") if event["event"] == name]


def test_a_run_attacked_by_hand_goes_on_and_says_so_in_a_line_each(config, tmp_path):
    run, log = tmp_path / "run", tmp_path / "log"
    with raylm_in_background(log, "train", config, "--output", run) as training:
        wait_until(lambda: len(rows(run)) >= 5, 180)
        victim = events(run, "epoch_started")[-1]["workers"][1]["pid"]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: events(run, "recovered"))
        wait_until(lambda: events(run, "worker_joined"))
        resized = raylm("resize", run, 2)
        assert resized.returncode == 0, resized.stderr
        assert "goes on with 2 workers" in resized.stdout
        refused = raylm("resize", run, 13)
        assert refused.returncode == 2
        assert "possible are 1 to 12" in refused.stderr
        training.send_signal(signal.SIGTERM)
        assert training.wait(60) == 130
    text = log.read_text()
    assert "interrupted at step" in text
    assert "A worker died or was killed while executing" not in text
    told = [line for line in text.splitlines() if str(victim) in line and "lost" in line]
    assert len(told) == 1
    assert text.count("recovered after") == 1
    assert text.count("a worker has joined") == 1
    last = rows(run)[-1]["step"]
    assert events(run, "checkpoint_saved")[-1]["step"] == last < 10_000


def test_resize_without_a_run_says_so(tmp_path):
    result = raylm("resize", tmp_path, 2)
    assert result.returncode == 2
    assert "no run is under way" in result.stderr


def test_a_submitted_run_is_followed_and_its_stop_saves(dashboard, config, tmp_path):
    run = tmp_path / "run"
    words = ("submit", config, "--address", dashboard, "--output", run, "--json")
    submitted = raylm(*words)
    assert submitted.returncode == 0, submitted.stderr
    job = json.loads(submitted.stdout)["job"]
    wait_until(lambda: len(rows(run)) >= 5, 180)
    JobSubmissionClient(dashboard).stop_job(job)
    wait_until(lambda: events(run, "run_finished"))
    assert events(run, "run_finished")[-1]["status"] == "interrupted"
    assert events(run, "checkpoint_saved")[-1]["step"] == rows(run)[-1]["step"]
    steps = rows(run)[-1]["step"] + 20
    again = raylm(*words[:-1], "--resume", "auto", "--set", f"steps={steps}", "--follow")
    assert again.returncode == 0, again.stderr
    assert "resumed from" in again.stdout
    assert rows(run)[-1]["step"] == steps
