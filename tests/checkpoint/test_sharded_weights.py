import time

import pytest
import torch

from raylm.checkpoint.shard_index import ShardIndex
from raylm.checkpoint.sharded_weights import ShardedWeights


def weights_of(save_sharded, root, tensors, world_size=3):
    return ShardedWeights(ShardIndex.open(save_sharded(root, tensors, world_size=world_size)))


def test_they_are_the_parameters_and_nothing_else(save_sharded, tmp_path):
    tensors = {
        "param/a.weight": torch.rand(9, 7),
        "param/b": torch.rand(11),
        "exp_avg/a.weight": torch.rand(9, 7),
    }
    weights = weights_of(save_sharded, tmp_path, tensors)
    assert dict(weights.shapes) == {"a.weight": (9, 7), "b": (11,)}
    for name, tensor in weights.items():
        assert torch.equal(tensor, tensors[f"param/{name}"])
    assert "exp_avg/a.weight" not in weights
    with pytest.raises(KeyError, match="c"):
        weights["c"]


def test_bfloat16_stays_and_other_floats_become_float32(save_sharded, tmp_path):
    dtypes = {name: getattr(torch, name) for name in ("bfloat16", "float16", "float32", "float64")}
    tensors = {f"param/{name}": torch.rand(40).to(dtype) for name, dtype in dtypes.items()}
    weights = weights_of(save_sharded, tmp_path, tensors)
    for name, dtype in dtypes.items():
        expected = torch.bfloat16 if dtype is torch.bfloat16 else torch.float32
        assert weights[name].dtype is expected
        assert torch.equal(weights[name], tensors[f"param/{name}"].to(expected))


def test_a_part_is_what_the_whole_has_there(save_sharded, tmp_path):
    tensors = {"param/a": torch.rand(9, 7), "param/b": torch.rand(11)}
    weights = weights_of(save_sharded, tmp_path, tensors)
    assert torch.equal(weights.part("a", slice(2, 7), slice(3, 5)), tensors["param/a"][2:7, 3:5])
    assert torch.equal(weights.part("a", slice(None), slice(None)), tensors["param/a"])
    assert torch.equal(weights.part("b", slice(4, None), slice(None)), tensors["param/b"][4:])


def test_a_shard_that_is_written_again_gives_another_fingerprint(save_sharded, tmp_path):
    tensors = {"param/a": torch.rand(9)}
    before = weights_of(save_sharded, tmp_path, tensors).fingerprint
    assert before is not None
    again = ShardedWeights(ShardIndex.open(next(tmp_path.rglob("manifest.json")).parent))
    assert again.fingerprint == before
    shard = next(tmp_path.rglob("*.safetensors"))
    content = shard.read_bytes()
    time.sleep(0.05)  # the clock of a file system ticks in steps
    shard.write_bytes(content)
    again = ShardedWeights(ShardIndex.open(shard.parent))
    assert again.fingerprint != before
