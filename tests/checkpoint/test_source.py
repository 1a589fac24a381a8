import json

import pytest
import torch

from raylm.checkpoint.source import open_model_or_run
from raylm.core.errors import CheckpointError, ModelNotFoundError, WeightsError


def test_a_run_opens_as_its_latest_model(write_checkpoint, tmp_path, tokenizer):
    write_checkpoint(10)
    model = write_checkpoint(20)
    run = tmp_path / "run"
    source = open_model_or_run(str(run))
    assert source.name == "run"
    assert source.chat_template is None
    assert source.tokenizer.encode("some words") == tokenizer.encode("some words")
    for name, parameter in model.named_parameters():
        assert torch.equal(source.weights[name], parameter)


def test_a_checkpoint_is_named_after_its_run_and_step(write_checkpoint, tmp_path):
    write_checkpoint(10)
    write_checkpoint(20)
    checkpoints = tmp_path / "run" / "checkpoints"
    assert open_model_or_run(checkpoints / "step-00000010").name == "run-step-00000010"
    (checkpoints / "step-00000010").rename(tmp_path / "kept")
    assert open_model_or_run(tmp_path / "kept").name == "kept"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("changes", [{}, {"tie_embeddings": False}])
def test_a_sharded_checkpoint_opens_as_well(
    write_sharded_checkpoint, tmp_path, tokenizer, dtype, changes
):
    write_sharded_checkpoint(10, dtype=dtype, **changes)
    model = write_sharded_checkpoint(20, dtype=dtype, **changes)
    source = open_model_or_run(tmp_path / "run")
    assert source.name == "run"
    assert source.tokenizer.encode("some words") == tokenizer.encode("some words")
    assert source.weights.keys() == dict(model.named_parameters()).keys()
    for name, parameter in model.named_parameters():
        assert source.weights[name].dtype is dtype
        assert torch.equal(source.weights[name], parameter)
    older = tmp_path / "run" / "checkpoints" / "step-00000010"
    assert open_model_or_run(older).name == "run-step-00000010"


def test_shards_of_another_model_than_the_configuration_are_refused(
    write_sharded_checkpoint, tmp_path
):
    write_sharded_checkpoint(10, num_layers=1)
    write_sharded_checkpoint(20)
    small, large = (tmp_path / "run" / "checkpoints" / f"step-000000{n}" for n in (10, 20))
    manifest = json.loads((small / "manifest.json").read_text())
    del manifest["files"]["config.json"]  # or it would be found to be another
    (small / "manifest.json").write_text(json.dumps(manifest))
    (small / "config.json").write_bytes((large / "config.json").read_bytes())
    with pytest.raises(WeightsError, match=r"'model.layers.1.* is missing"):
        open_model_or_run(small)


def test_anything_else_is_left_to_open_model(tmp_path):
    assert open_model_or_run("smollm2").name == "smollm2"
    with pytest.raises(ModelNotFoundError, match="did you mean 'smollm2'"):
        open_model_or_run("smollm")


def test_a_run_without_a_checkpoint_says_so(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="neither a checkpoint nor a run that has saved one"):
        open_model_or_run(tmp_path)
