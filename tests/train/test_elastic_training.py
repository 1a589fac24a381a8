"""A run whose workers are killed draws the loss curve of one whose workers are not."""

import os
import signal
import time
from contextlib import closing
from itertools import pairwise

import pytest

from benchmarks.elastic.chaos import chaos
from raylm.core.metrics import read_jsonl
from raylm.train.recipes import fit

pytestmark = pytest.mark.ray

STEPS = 24


@pytest.fixture
def elastic_config(make_config):
    def make(**changes):
        settings = {
            "steps": STEPS,
            "workers": 3,
            "batch__global": 12,
            "optimizer__lr": 1e-3,
            "evaluation__every": 0,
            "checkpoint__every": 0,
        }
        return make_config(**settings | changes)

    return make


def events(run, name):
    return [event for event in read_jsonl(run / "events.jsonl") if event["event"] == name]


def working(run):
    """The pids of the newest epoch."""
    return [worker["pid"] for worker in events(run, "epoch_started")[-1]["workers"]]


def run_under_attack(config, run, attack):
    updates = []
    with closing(fit(config, output=run)) as running:
        for update in running:
            updates.append(update)
            attack(update.step)
    return updates


def check_the_curve(updates, expected):
    assert [update.step for update in updates] == list(range(1, STEPS + 1))
    for found, undisturbed in zip(updates, expected, strict=True):
        assert found.loss == pytest.approx(undisturbed.loss, abs=1e-4)
        assert found.tokens == undisturbed.tokens
    for before, after in pairwise(updates):
        assert after.sample_index_first == before.sample_index_last + 1


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_kills_leave_no_trace_in_the_loss(
    stage, ray_cluster, elastic_config, train_alone, tmp_path
):
    alone, _ = train_alone(elastic_config(workers=1), tmp_path / "alone")
    run = tmp_path / "attacked"
    waits_for_replacements = stage in (0, 3)

    def attack(step):
        if step in (5, 12):
            os.kill(working(run)[step % len(working(run))], signal.SIGKILL)
        if step > 12 and waits_for_replacements and len(events(run, "worker_joined")) < 2:
            time.sleep(4)  # they have their Python to start, and join between two steps

    updates = run_under_attack(elastic_config(zero__stage=stage), run, attack)
    check_the_curve(updates, alone)
    assert len(events(run, "worker_lost")) == 2
    assert [event["steps_lost"] for event in events(run, "recovered")] == [0, 0]
    assert [update.world_size for update in updates[5:7]] == [2, 2]
    if waits_for_replacements:
        assert updates[-1].world_size == 3
        assert len(events(run, "worker_joined")) == 2
    assert events(run, "run_finished")[0]["status"] == "finished"


def test_a_kill_while_a_checkpoint_is_written(ray_cluster, elastic_config, train_alone, tmp_path):
    config = elastic_config(checkpoint__every=4, zero__stage=2)
    alone, _ = train_alone(elastic_config(workers=1), tmp_path / "alone")
    run = tmp_path / "attacked"

    def attack(step):
        if step in (4, 12):  # its checkpoint has just been started
            os.kill(working(run)[0], signal.SIGKILL)

    check_the_curve(run_under_attack(config, run, attack), alone)
    saved = [event["step"] for event in events(run, "checkpoint_saved")]
    assert saved[-1] == STEPS
    assert len(saved) >= STEPS // 4 - 1


def test_chaos_in_its_short_form(ray_cluster):
    outcome = chaos(events=10, workers=3, stage=3, seed=0)
    assert outcome.is_exact
    assert outcome.difference <= 1e-4
    assert outcome.left == outcome.shared == []
    assert len(outcome.happened) >= 3
