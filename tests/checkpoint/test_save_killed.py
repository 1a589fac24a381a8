"""Saving is cut short by SIGKILL: whenever that is, `latest` opens and is whole."""

import subprocess
import sys

import pytest

# What is killed is a fork of one process that has torch imported already.
NURSERY = """
import atexit, os, random, shutil, signal, sys, time, traceback
from contextlib import suppress
from pathlib import Path
import torch
from raylm.checkpoint import save
from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.shard_file import Part, write_shard
from raylm.checkpoint.tensor_record import TensorRecord

NUMEL = 100_000
TENSORS = {"param/x": TensorRecord.of((NUMEL,), torch.float32)}
torch.set_num_threads(1)

def write(root, step):
    draft = save.begin(root, step)
    for rank, start in enumerate((0, NUMEL // 2)):
        values = torch.full((NUMEL // 2,), float(step))
        write_shard(draft, rank, 2, [Part("param", "x", start, values)])
    save.write_tensors(draft / "rng-00000.safetensors", {"cpu": torch.get_rng_state()})
    save.commit(draft, step=step, samples=step, world_size=2, config={}, tensors=TENSORS)
    save.prune(root, 2, keep_best=1, losses={1: 1.0})

def verify(root, at_least):
    checkpoint = Checkpoint.open(root)
    step = checkpoint.manifest.step
    assert step >= at_least, (step, at_least)
    assert (checkpoint.shards().read("param", "x") == step).all()
    return step

def leave_nothing_behind(root):
    write(root, verify(root, 0) + 1)
    assert not list(root.glob(".*")), list(root.glob(".*"))

def fork(job):
    pid = os.fork()
    if pid == 0:
        try:
            job()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    atexit.register(end, pid)
    return pid

def end(pid):
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

def was_killed(pid):
    status = os.waitpid(pid, 0)[1]
    atexit.unregister(end)
    assert os.WIFSIGNALED(status) or status == 0
    return os.WIFSIGNALED(status)
"""

RANDOM_MOMENTS = """
root = Path(sys.argv[1])

def save_forever():
    step = Checkpoint.open(root).manifest.step  # saved again
    while True:
        write(root, step)
        step += 1

def is_being_written(root):
    with suppress(FileNotFoundError):  # a draft is published while we look into it
        return any(root.glob(".draft-step-*/shard-00000*"))

for step in (1, 2, 3):
    began = time.perf_counter()
    write(root, step)
    seconds_per_save = time.perf_counter() - began
began = time.monotonic()
for number in range(20):
    if number >= 3 and time.monotonic() - began > 60:  # a disk that others keep busy
        break
    before = verify(root, 0)
    saver = fork(save_forever)
    while not is_being_written(root):
        time.sleep(0.0005)
    time.sleep(random.random() * 3 * seconds_per_save)
    os.kill(saver, signal.SIGKILL)
    assert was_killed(saver)
    print(verify(root, before))
leave_nothing_behind(root)
"""

EVERY_OPERATION = """
root, template, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for number in (10, 20):
    write(template, number)

def save_until(operations_left):
    def count(event, arguments):
        nonlocal operations_left
        if event in ("open", "os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir"):
            operations_left -= 1
            if operations_left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write(root, step)

operations = 0
while True:
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    if not was_killed(fork(lambda: save_until(operations))):
        break
    verify(root, 20)
    leave_nothing_behind(root)
    operations += 1
print(operations)
"""


def run_nursery(script, *arguments):
    command = [sys.executable, "-c", NURSERY + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_sigkill_at_random_moments_leaves_a_whole_checkpoint(tmp_path):
    assert 3 <= len(run_nursery(RANDOM_MOMENTS, tmp_path / "run")) <= 20


@pytest.mark.parametrize("step", [20, 30], ids=["saved again", "new"])
def test_sigkill_before_every_operation_leaves_a_whole_checkpoint(tmp_path, step):
    """Every file opened, renamed, linked, made or removed by a save and a prune after 10, 20."""
    (operations,) = run_nursery(EVERY_OPERATION, tmp_path / "run", tmp_path / "template", step)
    assert int(operations) > 20
