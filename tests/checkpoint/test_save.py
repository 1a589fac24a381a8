"""Saving is atomic: whatever happens while it runs, the previous checkpoint stays loadable."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from raylm.checkpoint import save
from raylm.checkpoint.load import Checkpoint

SAVE_FOREVER = """
import sys, torch
from pathlib import Path
from raylm.checkpoint import save
root, step = Path(sys.argv[1]), 0
while True:
    step += 1
    draft = save.begin(root, step)
    for name in ("model", "optimizer"):
        tensors = {"x": torch.full((100_000,), float(step))}
        save.write_tensors(draft / f"{name}.safetensors", tensors)
    save.commit(draft, step=step, samples=step, world_size=1, config={})
    save.prune(root, 2)
    print(step, flush=True)
"""


def write(root, step, value=1.0):
    draft = save.begin(root, step)
    save.write_tensors(draft / "model.safetensors", {"x": torch.tensor([value])})
    return save.commit(draft, step=step, samples=step, world_size=1, config={})


def names(root):
    return sorted(path.name for path in root.iterdir())


def test_a_checkpoint_appears_whole_and_latest_points_to_it(tmp_path):
    folder = write(tmp_path, 50)
    assert folder == tmp_path / "step-00000050"
    assert names(tmp_path) == ["latest", "step-00000050"]
    assert (tmp_path / "latest").resolve() == folder.resolve()
    assert (tmp_path / "latest").readlink() == type(tmp_path)("step-00000050")  # relative: movable
    assert names(folder) == ["manifest.json", "model.safetensors"]


def test_old_checkpoints_are_pruned(tmp_path):
    for step in (10, 20, 30):
        write(tmp_path, step)
        save.prune(tmp_path, 2)
    assert names(tmp_path) == ["latest", "step-00000020", "step-00000030"]
    assert save.saved_steps(tmp_path) == [20, 30]


def test_a_step_saved_again_is_replaced(tmp_path):
    write(tmp_path, 10, value=1.0)
    write(tmp_path, 10, value=2.0)
    assert Checkpoint.open(tmp_path).tensors("model.safetensors")["x"].item() == 2.0
    write(tmp_path, 20)
    assert names(tmp_path) == ["latest", "step-00000010", "step-00000020"]


def test_drafts_of_killed_runs_are_swept_away(tmp_path):
    write(tmp_path, 10)
    save.begin(tmp_path, 20)
    assert ".draft-step-00000020" in names(tmp_path)
    write(tmp_path, 30)
    assert names(tmp_path) == ["latest", "step-00000010", "step-00000030"]


@pytest.mark.parametrize("delay_ms", [0, 5, 15])
def test_sigkill_at_any_moment_leaves_a_whole_checkpoint(tmp_path, delay_ms):
    """The delays fall into different phases of the fourth save."""
    with subprocess.Popen(
        [sys.executable, "-c", SAVE_FOREVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as saver:
        for _ in range(3):
            done = int(saver.stdout.readline())
        time.sleep(delay_ms / 1000)
        os.kill(saver.pid, signal.SIGKILL)
    checkpoint = Checkpoint.open(tmp_path)
    step = checkpoint.manifest.step
    assert step >= done
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert (checkpoint.tensors(file)["x"] == step).all()
    write(tmp_path, step + 1)
    assert not [name for name in names(tmp_path) if name.startswith(".")]
