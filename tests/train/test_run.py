"""Runs that lose more than their replicas hold, are told to resize, or meet poison: real Ray."""

import os
import signal
import time
from contextlib import closing

import pytest

from raylm.core.errors import PoisonedStepError, StateLostError
from raylm.core.metrics import read_jsonl
from raylm.data.order import shard
from raylm.train.recipes import fit
from raylm.train.trainer import StepPlan
from raylm.train.wish import Wish
from raylm.train.worker import TrainWorker
from raylm.train.worker_team import WorkerTeam, poison

pytestmark = pytest.mark.ray


@pytest.fixture
def elastic_config(make_config):
    def make(**changes):
        settings = {
            "steps": 12,
            "workers": 2,
            "batch__global": 12,
            "evaluation__every": 0,
            "checkpoint__every": 0,
        }
        return make_config(**settings | changes)

    return make


def events(run, name):
    return [event for event in read_jsonl(run / "events.jsonl") if event["event"] == name]


def working(run):
    return [worker["pid"] for worker in events(run, "epoch_started")[-1]["workers"]]


def losses(updates):
    return {update.step: update.loss for update in updates}


def attacked(config, run, attack):
    updates = []
    with closing(fit(config, output=run)) as running:
        for update in running:
            updates.append(update)
            attack(update.step, len(updates))
    return updates


def kill_all(run):
    for pid in working(run):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("every", [4, 0], ids=["checkpoints", "no checkpoint"])
def test_a_run_that_loses_all_its_workers_goes_on_from_what_is_saved(
    every, ray_cluster, elastic_config, train_alone, tmp_path
):
    alone, _ = train_alone(elastic_config(workers=1), tmp_path / "alone")
    run = tmp_path / "attacked"

    def attack(step, count):
        if count == 7:
            kill_all(run)

    updates = attacked(elastic_config(checkpoint__every=every), run, attack)
    start = every
    assert [u.step for u in updates] == [*range(1, 8), *range(start + 1, 13)]
    for step, loss in losses(updates).items():
        assert loss == pytest.approx(losses(alone)[step], abs=1e-4)
    rows = read_jsonl(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, 13))
    fall = events(run, "fell_back")[0]
    assert (fall["step"], fall["steps_lost"]) == (start, 7 - start)
    assert events(run, "run_finished")[0]["status"] == "finished"


def test_a_run_that_loses_its_workers_again_and_again_gives_up(
    ray_cluster, elastic_config, tmp_path
):
    run = tmp_path / "attacked"

    def attack(step, count):
        if count in (3, 5, 6, 10):  # each time in another step: no step is to blame
            kill_all(run)

    with pytest.raises(StateLostError):
        attacked(elastic_config(), run, attack)
    assert len(events(run, "fell_back")) == 3
    assert events(run, "run_finished")[0]["status"] == "failed"


def test_a_wish_for_another_size_is_heeded(ray_cluster, elastic_config, train_alone, tmp_path):
    alone, _ = train_alone(elastic_config(workers=1, steps=30), tmp_path / "alone")
    run = tmp_path / "resized"

    def attack(step, count):
        if step == 3:
            Wish(run).make(3)
        if step == 5:
            Wish(run).make(13)
        if 5 <= step < 15 and len(working(run)) < 3:
            time.sleep(1)
        if step == 20:
            Wish(run).make(1)

    updates = attacked(elastic_config(steps=30), run, attack)
    for step, loss in losses(updates).items():
        assert loss == pytest.approx(losses(alone)[step], abs=1e-4)
    assert updates[17].world_size == 3
    assert updates[-1].world_size == 1
    assert "possible are 1 to 12" in events(run, "resize_refused")[0]["reason"]


class PoisonedWorker(TrainWorker):
    def step(self, plan):
        if 41 in set(shard(plan.samples, self.rank, self.world_size)) - plan.without:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(plan)


@pytest.mark.parametrize(("workers", "skips"), [(3, True), (2, True), (2, False)])
def test_samples_that_kill_are_named_and_on_request_left_out(
    workers, skips, ray_cluster, elastic_config, tmp_path, monkeypatch
):
    monkeypatch.setattr("raylm.train.run.TrainWorker", PoisonedWorker)
    config = elastic_config(steps=6, workers=workers, elastic__skip_poisoned_samples=skips)
    run = tmp_path / "run"
    with closing(fit(config, output=run)) as running:
        if skips:
            tokens = {update.step: update.tokens for update in running}
            assert list(tokens) == list(range(1, 7))
            assert tokens[4] < tokens[3] == tokens[5]
        else:
            with pytest.raises(PoisonedStepError, match=r"41.* of step 4 have killed 3 workers"):
                list(running)
    found = events(run, "poisoned_samples")[0]
    assert found["is_skipped"] is skips
    assert 41 in found["samples"]
    assert len(found["samples"]) <= 6
    assert len(events(run, "fell_back")) == (workers == 2)  # both had died before they knew


class DeadlyGroup:
    """Each attempt of a step kills, whatever samples it was about."""

    is_elastic, size, epoch, attempts = True, 2, 0, 0

    def step(self, plan, victims):
        self.attempts += 1
        raise PoisonedStepError("", [(0, 2), (1, 2), (0, 2)])


def test_a_step_that_kills_by_itself_is_not_tried_for_ever(make_config):
    group, told = DeadlyGroup(), []
    team = WorkerTeam(group, make_config(batch__global=12), lambda name, **_: told.append(name))
    with pytest.raises(PoisonedStepError, match=r"step 4 kills workers, whatever samples"):
        team.step(StepPlan(4, range(36, 48), 1e-3))
    assert (group.attempts, told) == (2, [])


def test_without_a_place_for_checkpoints_a_run_goes_on(ray_cluster, elastic_config, tmp_path):
    run = tmp_path / "run"

    def attack(step, count):
        if step == 1:
            (run / "checkpoints").write_text("not a folder")

    updates = attacked(elastic_config(checkpoint__every=4), run, attack)
    assert [update.step for update in updates] == list(range(1, 13))
    assert [event["step"] for event in events(run, "checkpoint_failed")] == [4, 8, 12]
    assert events(run, "run_finished")[0]["status"] == "finished"


def test_the_suspects_are_what_every_victim_had():
    plan = StepPlan(4, range(36, 48), 1e-3)

    def suspects(*victims):
        return sorted(poison(plan, PoisonedStepError("", victims)))

    assert suspects((1, 3), (0, 2), (1, 2)) == []
    assert suspects((1, 3), (0, 2), (0, 2)) == [40, 41]
    assert suspects((0, 1)) == list(range(36, 48))
    without = StepPlan(4, range(36, 48), 1e-3, frozenset({40}))
    assert sorted(poison(without, PoisonedStepError("", [(1, 3), (0, 2)]))) == [41]
