"""Training over real Ray actors: equal to one process, resumable, and honest when one dies."""

import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import closing

import pytest
import torch

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import DataError, WorkerError
from raylm.core.metrics import read_jsonl
from raylm.train.recipes import fit, train
from tests.processes import is_alive

pytestmark = pytest.mark.ray


def rows(run):
    return read_jsonl(run / "metrics.jsonl")


def events(run):
    return read_jsonl(run / "events.jsonl")


def model_of(run):
    return dict(open_model_or_run(run).weights.items())


def test_two_workers_are_one_process_on_the_whole_batch(
    ray_cluster, make_config, train_alone, tmp_path
):
    changes = {"steps": 5, "optimizer__lr": 1e-3}
    alone, trainer = train_alone(make_config(**changes), tmp_path / "alone")
    seen = []
    result = train(
        make_config(workers=2, **changes), output=tmp_path / "team", on_update=seen.append
    )
    assert (result.run_dir, result.status, result.step) == (tmp_path / "team", "finished", 5)
    for a, b in zip(alone, seen, strict=True):
        assert b.loss == pytest.approx(a.loss, rel=1e-5)
        assert b.grad_norm == pytest.approx(a.grad_norm, rel=1e-4)
        assert b.tokens == a.tokens
        if a.heldout_loss is not None:
            assert b.heldout_loss == pytest.approx(a.heldout_loss, rel=1e-5)
    found = model_of(tmp_path / "team")
    for name, expected in trainer.engine.module.named_parameters():
        torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-5)
    gradient_bytes = sum(p.nbytes for p in trainer.engine.module.parameters())
    assert gradient_bytes <= seen[1].comm_bytes <= 1.02 * gradient_bytes  # 2 (N-1)/N = 1
    assert (seen[1].world_size, seen[1].membership_epoch) == (2, 0)

    begun, *saved, ended = events(tmp_path / "team")
    assert begun["event"] == "epoch_started"
    assert [worker["rank"] for worker in begun["workers"]] == [0, 1]
    assert {"rank", "pid", "node", "actor"} == begun["workers"][0].keys()
    assert [event["event"] for event in saved] == ["checkpoint_saved"] * 3
    assert (ended["event"], ended["status"]) == ("run_finished", "finished")


def test_fit_drives_the_same_from_a_users_own_loop(ray_cluster, make_config, tmp_path):
    config = make_config(steps=3, workers=2)
    steps = [update.step for update in fit(config.to_dict(), output=tmp_path / "whole")]
    assert steps == [1, 2, 3]
    with closing(fit(config, output=tmp_path / "left")) as updates:
        assert next(updates).step == 1
    assert events(tmp_path / "left")[-1]["status"] == "interrupted"


def test_without_elasticity_a_killed_worker_is_named_at_once_and_the_run_resumes(
    ray_cluster, make_config, tmp_path
):
    config = make_config(steps=9, workers=2, elastic__enabled=False)
    train(config, output=tmp_path / "whole")

    def kill(update):
        if update.step == 5:
            pid = events(tmp_path / "hurt")[0]["workers"][1]["pid"]
            os.kill(pid, signal.SIGKILL)
            killed.append((pid, time.monotonic()))

    killed = []
    with pytest.raises(WorkerError, match="worker 1") as caught:
        train(config, output=tmp_path / "hurt", on_update=kill)
    [(pid, when)] = killed
    assert time.monotonic() - when < 10
    assert (caught.value.rank, caught.value.pid) == (1, pid)
    lost, ended = events(tmp_path / "hurt")[-2:]
    assert (lost["event"], lost["rank"], lost["pid"]) == ("worker_lost", 1, pid)
    assert ended["status"] == "failed"
    saved = Checkpoint.open(tmp_path / "hurt").manifest.step
    assert saved in (2, 4)  # whether the files of step 4 were all written by then

    resumed = train(config, output=tmp_path / "hurt", resume="auto")
    assert resumed.step == 9
    for a, b in zip(rows(tmp_path / "whole"), rows(tmp_path / "hurt"), strict=True):
        assert (a["step"], a["loss"], a["grad_norm"]) == (b["step"], b["loss"], b["grad_norm"])
    before, after = model_of(tmp_path / "whole"), model_of(tmp_path / "hurt")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_missing_data_is_one_clear_error_before_anything_starts(make_config, tmp_path):
    with pytest.raises(DataError, match=r"no data at 'nowhere.txt'"):
        train(make_config(data__path="nowhere.txt"), output=tmp_path / "run")
    assert not (tmp_path / "run").exists()


SCRIPT = """
    import sys
    from raylm.train.recipes import train
    print(train(sys.argv[1], output=sys.argv[2]).status, flush=True)
"""


def test_ctrl_c_saves_a_checkpoint_and_leaves_no_process(make_config, cache, tmp_path):
    """As a terminal does it: the signal goes to the whole process group."""
    config = make_config(steps=100_000, workers=2, checkpoint__every=0, evaluation__every=0)
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT)]
    run = tmp_path / "run"
    with subprocess.Popen(
        [*command, str(tmp_path / "config.yaml"), str(run)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            lines = iter(process.stdout.readline, "")
            assert any(line.startswith("step 1/") for line in lines)
            os.killpg(process.pid, signal.SIGINT)
            output, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert output.splitlines()[-1] == "interrupted"
    done = rows(run)[-1]["step"]
    assert Checkpoint.open(run).manifest.step == done >= 1
    assert events(run)[-1]["status"] == "interrupted"
    pids = [worker["pid"] for worker in events(run)[0]["workers"]]
    deadline = time.monotonic() + 10
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "a worker outlived its run"
        time.sleep(0.1)
    assert math.isfinite(rows(run)[-1]["loss"])
