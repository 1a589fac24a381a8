"""Saving is atomic: whatever happens while it runs, the previous checkpoint stays loadable."""

import errno
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from raylm.checkpoint import save
from raylm.checkpoint.background import BackgroundWriter
from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.shard_file import shard_name, write_shard
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.errors import CheckpointError

TENSORS = {"param/w": torch.arange(50.0).view(5, 10), "step/w": torch.tensor(3.0)}

RANK = """
import sys, torch
from pathlib import Path
from raylm.checkpoint.shard_file import Part, write_shard
from raylm.checkpoint import save
draft, rank = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
write_shard(draft, rank, 3, [Part("param", "x", rank * 10_000, torch.full((10_000,), float(rank)))])
save.write_tensors(draft / f"rng-{rank:05d}.safetensors", {"cpu": torch.get_rng_state()})
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


def test_a_save_under_way_may_sweep_what_is_being_pruned(tmp_path, monkeypatch):
    delete = shutil.rmtree

    def delete_second(path, **how):
        delete(path)
        delete(path, **how)

    for step in (10, 20):
        write(tmp_path, step)
    monkeypatch.setattr(shutil, "rmtree", delete_second)
    save.prune(tmp_path, 1)
    assert names(tmp_path) == ["latest", "step-00000020"]


def test_nothing_is_pruned_while_a_checkpoint_is_replaced(tmp_path):
    for step in (10, 20, 30):
        write(tmp_path, step)
    (tmp_path / "latest").unlink()
    (tmp_path / "latest").symlink_to(".replaced-step-00000020")
    save.prune(tmp_path, 1)
    assert save.saved_steps(tmp_path) == [10, 20, 30]


def test_a_step_saved_again_is_replaced(tmp_path):
    write(tmp_path, 10, value=1.0)
    write(tmp_path, 10, value=2.0)
    assert Checkpoint.open(tmp_path).tensors("model.safetensors")["x"].item() == 2.0
    write(tmp_path, 20)
    assert names(tmp_path) == ["latest", "step-00000010", "step-00000020"]


def test_drafts_of_killed_runs_are_swept_away(tmp_path):
    write(tmp_path, 10)
    save.begin(tmp_path, 20)
    assert any(name.startswith(".draft-step-00000020-") for name in names(tmp_path))
    write(tmp_path, 30)
    assert names(tmp_path) == ["latest", "step-00000010", "step-00000030"]


def test_a_group_of_the_past_cannot_commit_what_a_later_one_is_writing(tmp_path):
    stale = save.begin(tmp_path, 20)
    (stale / "state.json").write_text("{}")
    current = save.begin(tmp_path, 20)
    (current / "state.json").write_text("{}")
    with pytest.raises(OSError, match="No such file"):
        save.commit(stale, step=20, samples=0, world_size=1, config={})
    assert current.is_dir()
    assert save.commit(current, step=20, samples=0, world_size=1, config={}).is_dir()


def test_a_link_left_by_a_kill_is_swept_away(tmp_path):
    write(tmp_path, 10)
    (tmp_path / ".draft-latest").symlink_to("step-00000010")
    write(tmp_path, 20)
    assert names(tmp_path) == ["latest", "step-00000010", "step-00000020"]


def test_the_best_is_kept_when_asked_for(tmp_path):
    for step in (10, 20, 30):
        write(tmp_path, step)
        save.prune(tmp_path, 1, keep_best=1, losses={10: 1.0, 20: 2.0})
    assert save.saved_steps(tmp_path) == [10, 30]


def test_a_sharded_checkpoint_lists_its_files_and_tensors(save_sharded, tmp_path):
    folder = save_sharded(tmp_path, TENSORS, world_size=2)
    checkpoint = Checkpoint.open(tmp_path)
    assert checkpoint.is_sharded
    assert sorted(checkpoint.manifest.files) == [
        "shard-00000-of-00002.json",
        "shard-00000-of-00002.safetensors",
        "shard-00001-of-00002.json",
        "shard-00001-of-00002.safetensors",
    ]
    assert names(folder) == ["manifest.json", *sorted(checkpoint.manifest.files)]
    assert list(checkpoint.manifest.tensors) == list(TENSORS)
    assert torch.equal(checkpoint.shards().read("param", "w"), TENSORS["param/w"])


def test_the_hash_is_of_what_the_rank_meant_to_write(save_sharded, tmp_path, monkeypatch):
    """A shard is not read again: what the disk makes of it is found when it is opened."""
    read_record = save.read_record

    def flip_a_bit(folder, rank, world_size):
        path = folder / shard_name(rank, world_size)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        return read_record(folder, rank, world_size)

    monkeypatch.setattr(save, "read_record", flip_a_bit)
    save_sharded(tmp_path, TENSORS)
    with pytest.raises(CheckpointError, match=r"shard-00000-of-00002.safetensors: corrupt"):
        Checkpoint.open(tmp_path)


def test_ranks_write_into_one_draft_at_the_same_time(tmp_path):
    draft = save.begin(tmp_path, 10)
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(draft), str(rank)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    for rank in ranks:
        assert rank.stdout.readline() == "ready\n"
    for rank in ranks:
        rank.communicate("go\n")
        assert rank.returncode == 0
    tensors = {"param/x": TensorRecord.of((3, 100, 100), torch.float32)}
    save.commit(draft, step=10, samples=80, world_size=3, config={}, tensors=tensors)
    checkpoint = Checkpoint.open(tmp_path)
    assert [file for file in checkpoint.manifest.files if file.startswith("rng")] == [
        f"rng-0000{rank}.safetensors" for rank in range(3)
    ]
    expected = torch.arange(3.0).view(3, 1, 1).expand(3, 100, 100)
    assert torch.equal(checkpoint.shards().read("param", "x"), expected)


def commit_error(draft, world_size, tensors):
    with pytest.raises(CheckpointError) as caught:
        save.commit(draft, step=20, samples=160, world_size=world_size, config={}, tensors=tensors)
    return str(caught.value)


def test_a_draft_without_all_its_shards_is_refused_and_removed(
    save_sharded, parts_of, records_of, tmp_path
):
    save_sharded(tmp_path, TENSORS)
    draft = save.begin(tmp_path, 20)
    for rank in (0, 2):
        write_shard(draft, rank, 3, parts_of(TENSORS, rank, 3))
    message = commit_error(draft, 3, records_of(TENSORS))
    assert "shard-00001-of-00003.safetensors: missing: rank 1 of 3 has not written" in message
    assert names(tmp_path) == ["latest", "step-00000010"]
    assert Checkpoint.open(tmp_path).manifest.step == 10


def test_a_draft_that_lacks_elements_is_refused_and_removed(parts_of, records_of, tmp_path):
    draft = save.begin(tmp_path, 20)
    write_shard(draft, 0, 2, parts_of(TENSORS, 0, 2))
    write_shard(draft, 1, 2, [])
    message = commit_error(draft, 2, records_of(TENSORS))
    assert "'param/w' of 50 elements is incomplete: element 32 is stored nowhere" in message
    assert names(tmp_path) == []


def test_a_rank_that_writes_into_a_discarded_draft_is_told(tmp_path):
    draft = save.begin(tmp_path, 20)
    save.discard(draft)
    save.discard(draft)
    with pytest.raises(FileNotFoundError):
        write_shard(draft, 0, 1, [])
    assert names(tmp_path) == []


@contextmanager
def disk_with_room_for(size_bytes):
    """Files may not grow beyond; Python has SIGXFSZ ignored, so that writing fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_previous_checkpoint(save_sharded, parts_of, tmp_path):
    save_sharded(tmp_path, TENSORS)
    draft = save.begin(tmp_path, 20)
    big = {"param/w": torch.ones(1 << 20)}
    writer = BackgroundWriter()
    with disk_with_room_for(1 << 20):
        writer.submit(lambda: write_shard(draft, 0, 2, parts_of(big, 0, 2)))
        writer.wait()
    error = writer.poll().error
    assert isinstance(error, OSError)
    assert error.errno == errno.EFBIG
    assert names(draft) == []
    save.discard(draft)
    assert names(tmp_path) == ["latest", "step-00000010"]
    assert torch.equal(Checkpoint.open(tmp_path).shards().read("param", "w"), TENSORS["param/w"])
    save_sharded(tmp_path, big, step=20)
    assert Checkpoint.open(tmp_path).manifest.step == 20


def test_a_disk_that_is_full_at_the_last_moment(save_sharded, parts_of, records_of, tmp_path):
    save_sharded(tmp_path, TENSORS)
    draft = save.begin(tmp_path, 20)
    write_shard(draft, 0, 1, parts_of(TENSORS, 0, 1))
    records = records_of(TENSORS)
    with disk_with_room_for(100), pytest.raises(OSError, match="File too large"):
        save.commit(draft, step=20, samples=160, world_size=1, config={}, tensors=records)
    assert names(tmp_path) == ["latest", "step-00000010"]
    assert Checkpoint.open(tmp_path).manifest.step == 10
