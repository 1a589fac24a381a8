"""A run on a cluster: its driver, its actor and the cluster itself are killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import ray
from ray.cluster_utils import Cluster

from raylm.core.metrics import read_jsonl
from raylm.runtime.session import ray_session
from raylm.runtime.worker import NAMESPACE
from raylm.train.recipes import train
from raylm.train.run_actor import is_under_way, run_name
from tests.processes import is_alive, wait_until

pytestmark = pytest.mark.ray

STEPS = 40


@pytest.fixture
def cluster(cache):
    ray.shutdown()
    started = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 4, "object_store_memory": 100 * 2**20},
    )
    yield started
    started.shutdown()


@pytest.fixture
def config(make_config):
    return make_config(
        steps=STEPS,
        workers=2,
        batch={"global": 120, "micro": 2},  # slow enough to be killed on the way
        evaluation__every=0,
        checkpoint__every=10,
    )


def events(run, name):
    path = run / "events.jsonl"
    found = read_jsonl(path) if path.exists() else []
    return [event for event in found if event["event"] == name]


def steps(run):
    path = run / "metrics.jsonl"
    return [row["step"] for row in read_jsonl(path)] if path.exists() else []


def workers(run):
    return [worker["pid"] for worker in events(run, "epoch_started")[-1]["workers"]]


def check_the_curve(run, alone):
    rows = read_jsonl(run / "metrics.jsonl")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    for row, undisturbed in zip(rows, alone, strict=True):
        assert row["loss"] == pytest.approx(undisturbed.loss, abs=1e-4)
        assert row["sample_index_first"] == undisturbed.sample_index_first


def kill_the_actor(run, address):
    with ray_session(address):
        pid = ray.get(ray.get_actor(run_name(run), NAMESPACE).pid.remote())
    os.kill(pid, signal.SIGKILL)


def drive(config, run, address, *options):
    """`raylm train` in a process of its own; what it prints is in driver.log."""
    file = run.parent / "config.yaml"
    file.write_text(config.to_yaml())
    command = [sys.executable, "-m", "raylm_apps.cli", "train", str(file), *options]
    with (run.parent / "driver.log").open("w") as log:
        return subprocess.Popen(
            [*command, "--output", str(run), "--address", address], stdout=log, stderr=log
        )


def test_the_runs_actor_dies_and_its_workers_stay(cluster, config, train_alone, tmp_path):
    alone, _ = train_alone(config, tmp_path / "alone")
    run = tmp_path / "run"
    seen = []

    def attack(update):
        seen.append(update.step)
        if update.step == 5:
            threading.Thread(target=kill_the_actor, args=(run, cluster.address)).start()
        if update.step < 12:
            time.sleep(0.2)

    result = train(config, run, address=cluster.address, on_update=attack)
    assert (result.status, result.step) == ("finished", STEPS)
    check_the_curve(run, alone)
    assert sorted(set(seen)) == list(range(1, STEPS + 1))
    before, *_, after = (
        [worker["pid"] for worker in event["workers"]] for event in events(run, "epoch_started")
    )
    assert sorted(before) == sorted(after)
    assert not events(run, "worker_lost")
    wait_until(lambda: not any(map(is_alive, after)))
    assert not is_under_way(run, cluster.address)


def test_the_driver_dies_and_the_run_goes_on(cluster, config, train_alone, tmp_path):
    alone, _ = train_alone(config, tmp_path / "alone")
    run = tmp_path / "run"
    driver = drive(config, run, cluster.address)
    wait_until(lambda: len(steps(run)) >= 2)
    driver.kill()
    driver.wait()
    follower = drive(config, run, cluster.address, "--resume", "auto")
    assert follower.wait(120) == 0
    assert f"step {STEPS}/{STEPS}" in (tmp_path / "driver.log").read_text()
    check_the_curve(run, alone)
    assert len(events(run, "run_finished")) == 1
    wait_until(lambda: not any(map(is_alive, workers(run))))


def test_a_stop_of_the_driver_is_one_of_the_run(cluster, config, tmp_path):
    run = tmp_path / "run"
    driver = drive(config, run, cluster.address)
    wait_until(lambda: len(steps(run)) >= 2)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(60) == 130
    last = steps(run)[-1]
    assert last < STEPS
    assert events(run, "checkpoint_saved")[-1]["step"] == last
    assert events(run, "run_finished")[-1]["status"] == "interrupted"


def test_the_whole_cluster_is_lost(cache, config, train_alone, tmp_path):
    alone, _ = train_alone(config, tmp_path / "alone")
    run = tmp_path / "run"
    first = Cluster(initialize_head=True, head_node_args={"num_cpus": 4})
    driver = drive(config, run, first.address)
    wait_until(lambda: len(events(run, "checkpoint_saved")) >= 1)
    first.shutdown()
    driver.kill()
    driver.wait()
    second = Cluster(initialize_head=True, head_node_args={"num_cpus": 4})
    try:
        assert train(config, run, "auto", address=second.address).status == "finished"
    finally:
        second.shutdown()
    check_the_curve(run, alone)
