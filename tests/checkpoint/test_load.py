import json
import os
import pickle

import pytest
import torch

from raylm.checkpoint.load import Checkpoint
from raylm.checkpoint.manifest import MANIFEST
from raylm.core.errors import CheckpointError


@pytest.fixture
def folder(write_checkpoint, tmp_path):
    write_checkpoint(10)
    return tmp_path / "run" / "checkpoints" / "step-00000010"


def open_error(path):
    with pytest.raises(CheckpointError) as caught:
        Checkpoint.open(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_manifest(folder, **changes):
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_run_its_checkpoints_and_latest_are_all_ways_to_the_newest(
    folder, write_checkpoint, tmp_path
):
    write_checkpoint(20)
    run = tmp_path / "run"
    for path in (run, run / "checkpoints", run / "checkpoints" / "latest"):
        checkpoint = Checkpoint.open(path)
        assert checkpoint.manifest.step == 20
        assert checkpoint.run == run.resolve()
    assert Checkpoint.open(folder).manifest.step == 10
    assert Checkpoint.open(folder).manifest.samples == 80


def test_a_rank_opens_with_its_share_of_the_checks(folder):
    path = folder / "optimizer.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    Checkpoint.open(folder, only=lambda file: file == "model.safetensors")
    with pytest.raises(CheckpointError, match=r"optimizer.safetensors: corrupt"):
        Checkpoint.open(folder, only=lambda file: file == "optimizer.safetensors")


def test_shards_are_opened_where_there_are_any(folder, write_sharded_checkpoint, tmp_path):
    assert not Checkpoint.open(folder).is_sharded
    with pytest.raises(CheckpointError, match="not a sharded checkpoint"):
        Checkpoint.open(folder).shards()
    model = write_sharded_checkpoint(20)
    checkpoint = Checkpoint.open(tmp_path / "run")
    assert checkpoint.is_sharded
    norm = checkpoint.shards().read("param", "model.norm.weight")
    assert torch.equal(norm, model.state_dict()["model.norm.weight"])


def test_restore_copies_in_place(folder, write_checkpoint):
    model, other = write_checkpoint(10), write_checkpoint(20)
    targets = dict(other.named_parameters())
    Checkpoint.open(folder).restore("model.safetensors", targets)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, targets[name])


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "tokenizer.json"])
def test_a_truncated_file_is_named(folder, file):
    os.truncate(folder / file, (folder / file).stat().st_size - 1)
    message = open_error(folder)
    assert f"{folder / file}: truncated or altered" in message


def test_a_flipped_bit_is_found(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert open_error(folder) == f"{path}: corrupt: its content is not what was saved"


def test_a_missing_file_is_named(folder):
    (folder / "optimizer.safetensors").unlink()
    assert "optimizer.safetensors: missing" in open_error(folder)


def test_no_checkpoint_at_all(tmp_path):
    assert "neither a checkpoint nor a run" in open_error(tmp_path)
    assert "neither a checkpoint nor a run" in open_error(tmp_path / "nowhere")


def test_a_checkpoint_without_its_manifest(folder):
    (folder / MANIFEST).unlink()
    assert f"not a checkpoint, it has no {MANIFEST}" in open_error(folder)


def test_a_manifest_that_is_none(folder):
    (folder / MANIFEST).write_text("{nonsense")
    assert f"{folder / MANIFEST}: not a manifest" in open_error(folder)
    (folder / MANIFEST).write_text('{"format": "other"}')
    assert "not a manifest: format" in open_error(folder)


def test_a_newer_version_says_so(folder):
    change_manifest(folder, version=99)
    assert "version 99 is newer than this RayLM's 2; upgrade" in open_error(folder)


def test_a_pickle_where_none_belongs_is_never_executed(folder, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    path = folder / "optimizer.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    assert "optimizer.safetensors: truncated or altered" in open_error(folder)
    record = {"size_bytes": path.stat().st_size, "sha256": _sha256(path)}
    files = json.loads((folder / MANIFEST).read_text())["files"] | {path.name: record}
    change_manifest(folder, files=files)
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        Checkpoint.open(folder).tensors(path.name)
    assert not (tmp_path / "exploded").exists()


def test_another_model_is_refused_with_the_parameter(folder, write_checkpoint):
    checkpoint = Checkpoint.open(folder)
    wider = write_checkpoint(20, hidden_size=128)
    with pytest.raises(
        CheckpointError, match=r"'model.embed_tokens.weight' has the shape .*, 64\)"
    ):
        checkpoint.restore("model.safetensors", dict(wider.named_parameters()))
    deeper = write_checkpoint(20, num_layers=3)
    with pytest.raises(CheckpointError, match=r"'model.layers.2.*' is missing"):
        checkpoint.restore("model.safetensors", dict(deeper.named_parameters()))
    flatter = write_checkpoint(20, num_layers=1)
    with pytest.raises(CheckpointError, match=r"'model.layers.1.*' is not in the model"):
        checkpoint.restore("model.safetensors", dict(flatter.named_parameters()))


def _sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()
