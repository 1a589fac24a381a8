import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from raylm.checkpoint.manifest import MANIFEST
from raylm.checkpoint.shard_file import Part, shard_name, write_shard
from raylm.checkpoint.shard_index import ShardIndex
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.errors import CheckpointError
from raylm.core.partition import FlatLayout

SHAPES = st.lists(
    st.lists(st.sampled_from([0, 1, 2, 3, 7, 16, 17]), min_size=1, max_size=3), max_size=5
)
WORLD_SIZES = range(1, 5)
TENSORS = {
    "param/a.weight": torch.arange(35.0).view(5, 7),
    "param/b": torch.arange(100, 111, dtype=torch.bfloat16),
    "exp_avg/a.weight": torch.arange(35.0).view(5, 7) / 10,
    "step/a.weight": torch.tensor(3),
}


@pytest.fixture
def folder(save_sharded, tmp_path):
    return save_sharded(tmp_path, TENSORS)


def open_error(folder):
    with pytest.raises(CheckpointError) as caught:
        ShardIndex.open(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=15, deadline=None)
@given(SHAPES)
def test_whatever_the_world_sizes_every_element_comes_back(save_sharded, shapes):
    tensors = {
        f"param/p{i}": torch.randint(1, 100, shape).float() for i, shape in enumerate(shapes)
    }
    tensors["step/p0"] = torch.tensor(5.0)
    named = {key.removeprefix("param/"): t for key, t in tensors.items() if key[:5] == "param"}
    for saved_with in WORLD_SIZES:
        with TemporaryDirectory() as root:
            index = ShardIndex.open(save_sharded(Path(root), tensors, world_size=saved_with))
            for key, tensor in tensors.items():
                assert torch.equal(index.read(*key.split("/")), tensor)
            for read_with in WORLD_SIZES:
                layout = FlatLayout.of({n: t.shape for n, t in named.items()}, read_with)
                flat = torch.cat([*(t.view(-1) for t in named.values()), torch.empty(0)])
                padded = torch.zeros(layout.padded)
                padded[: len(flat)] = flat
                for rank in range(read_with):
                    shard = torch.zeros(layout.shard_numel)
                    for piece in layout.pieces(rank):
                        index.read_into("param", piece.name, piece.within, shard[piece.place])
                    elements = layout.shard(rank)
                    assert torch.equal(shard, padded[elements.start : elements.stop])


def test_it_knows_what_is_there(folder):
    index = ShardIndex.open(folder)
    assert index.keys() == list(TENSORS)
    assert index.names("param") == ["a.weight", "b"]
    assert index.names("grad") == []
    assert index.has("exp_avg", "a.weight")
    assert not index.has("exp_avg", "b")
    assert index.shape("param", "a.weight") == (5, 7)
    assert index.shape("step", "a.weight") == ()
    assert index.dtype("param", "b") is torch.bfloat16
    index.check_shape("param", "a.weight", torch.Size([5, 7]))


def test_the_target_may_be_of_another_dtype(folder):
    index = ShardIndex.open(folder)
    wide = torch.zeros(11)
    index.read_into("param", "b", range(11), wide)
    assert torch.equal(wide, TENSORS["param/b"].float())
    narrow = torch.zeros(6, dtype=torch.bfloat16)
    index.read_into("exp_avg", "a.weight", range(15, 21), narrow)
    assert torch.equal(narrow, TENSORS["exp_avg/a.weight"].view(-1)[15:21].bfloat16())
    assert index.read("param", "b").dtype is torch.bfloat16
    assert index.read("param", "b", torch.float32).dtype is torch.float32


def test_a_parameter_is_filled_in_place_and_reads_do_not_share_memory(folder):
    index = ShardIndex.open(folder)
    target = torch.zeros(35, requires_grad=True)
    index.read_into("param", "a.weight", range(35), target)
    assert torch.equal(target, TENSORS["param/a.weight"].view(-1))
    index.read("param", "a.weight").zero_()
    assert torch.equal(index.read("param", "a.weight"), TENSORS["param/a.weight"])


def test_names_with_slashes_and_at_signs(save_sharded, tmp_path):
    tensors = {"param/a/b@c": torch.arange(40.0), "param/@1": torch.ones(3)}
    index = ShardIndex.open(save_sharded(tmp_path, tensors))
    assert index.names("param") == ["a/b@c", "@1"]
    assert torch.equal(index.read("param", "a/b@c"), tensors["param/a/b@c"])


def test_a_target_of_another_length_is_refused(folder):
    index = ShardIndex.open(folder)
    with pytest.raises(ValueError, match=r"4 elements into a target of \(5,\)"):
        index.read_into("param", "b", range(4), torch.zeros(5))


def test_a_missing_tensor_is_named(folder):
    index = ShardIndex.open(folder)
    for ask in (
        lambda: index.shape("grad", "b"),
        lambda: index.read("grad", "b"),
        lambda: index.read_into("grad", "b", range(0), torch.zeros(0)),
    ):
        with pytest.raises(CheckpointError, match=f"{MANIFEST}: the tensor 'grad/b' is missing"):
            ask()


def test_another_shape_is_named(folder):
    expected = r"'param/a.weight' has the shape \(5, 7\), expected \(7, 5\)"
    with pytest.raises(CheckpointError, match=expected):
        ShardIndex.open(folder).check_shape("param", "a.weight", (7, 5))


@pytest.mark.parametrize("wanted", [range(30, 36), range(-1, 2)])
def test_elements_the_tensor_does_not_have(folder, wanted):
    with pytest.raises(CheckpointError, match=r"'param/a.weight' of 35 elements .* (35|-1) is"):
        ShardIndex.open(folder).read_into("param", "a.weight", wanted, torch.zeros(len(wanted)))


def test_elements_in_no_shard_are_found_when_opening(folder):
    path = folder / shard_name(0, 2)
    path.unlink()
    write_shard(folder, 0, 2, [])
    message = open_error(folder)
    assert "the tensor 'param/a.weight' of 35 elements is incomplete: element 0 is" in message


def test_a_missing_shard_is_named(folder):
    (folder / shard_name(1, 2)).unlink()
    assert open_error(folder) == f"{folder / shard_name(1, 2)}: missing from the checkpoint"


def truncation_points(path):
    """In the length of the header, in the header, before the body, in it and at its last byte."""
    size = path.stat().st_size
    body = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    return [0, 3, 8, 8 + body // 2, body, (body + size) // 2, size - 1]


@pytest.mark.parametrize("number", range(7))
def test_a_truncated_shard_is_named_wherever_it_ends(folder, number):
    path = folder / shard_name(1, 2)
    os.truncate(path, truncation_points(path)[number])
    assert f"{path}: truncated or foreign, not a safetensors file: " in open_error(folder)


def test_a_shard_with_something_behind_it(folder):
    path = folder / shard_name(1, 2)
    path.write_bytes(path.read_bytes() + b"1")
    assert f"{path}: truncated or foreign" in open_error(folder)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_named_and_never_executed(folder, tmp_path, protocol):
    path = folder / shard_name(0, 2)
    path.write_bytes(pickle.dumps(Bomb(str(tmp_path / "exploded")), protocol))
    assert f"{path}: a pickle, not a safetensors file: " in open_error(folder)
    assert not (tmp_path / "exploded").exists()


def test_a_zip_is_named_and_never_unpickled(folder, tmp_path):
    path = folder / shard_name(0, 2)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps(Bomb(str(tmp_path / "exploded"))))
    assert f"{path}: a zip archive, as torch.save writes, not a safe" in open_error(folder)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 100, b"GGUF" + b"\xff" * 20, b"{}" * 9])
def test_any_other_file_is_refused(folder, content):
    path = folder / shard_name(0, 2)
    path.write_bytes(content)
    assert f"{path}: truncated or foreign, not a safetensors file: " in open_error(folder)


@pytest.mark.parametrize(
    ("tensors", "fault"),
    [
        ({"weight": torch.zeros(2)}, "'weight' is not KIND/NAME@START"),
        ({"param/c@0": torch.zeros(2)}, "the manifest has no tensor 'param/c'"),
        ({"param/b@0": torch.zeros(2)}, "'param/b@0' is of the dtype F32, expected BF16"),
        ({"step/a.weight@0": torch.zeros(2).long()}, "of shape (2,) is no part of 1 elements"),
        ({"param/a.weight@0": torch.zeros(5, 7)}, "of shape (5, 7) is no part of 35 elements"),
        ({"param/a.weight@34": torch.zeros(2)}, "of shape (2,) is no part of 35 elements"),
    ],
)
def test_another_models_shard_is_named_with_the_tensor(folder, tensors, fault):
    path = folder / shard_name(0, 2)
    save_file(tensors, path)
    message = open_error(folder)
    assert f"{path}: not a shard of this checkpoint: " in message
    assert fault in message


def test_an_unsharded_checkpoint_says_so(write_checkpoint, tmp_path):
    write_checkpoint(10)
    message = open_error(tmp_path / "run" / "checkpoints" / "step-00000010")
    assert "not a sharded checkpoint" in message


QUARTER = """
import sys, torch
from pathlib import Path
from raylm.checkpoint.shard_index import ShardIndex
from raylm.checkpoint.tensor_record import TensorRecord

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))

numel, folder, dtype = int(sys.argv[1]), Path(sys.argv[2]), getattr(torch, sys.argv[3])
torch.zeros(1000).copy_(torch.zeros(1000, dtype=torch.bfloat16))  # starts torch's threads
index = ShardIndex(folder, 2, {"param/x": TensorRecord.of((numel,), torch.float32)})
Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
anonymous, mapped, peak = kilobytes("RssAnon"), kilobytes("RssFile"), kilobytes("VmHWM")
quarter = range(numel // 8 * 3, numel // 8 * 5)  # of both shards
target = torch.empty(len(quarter), dtype=dtype)
index.read_into("param", "x", quarter, target)
assert target[0] == target[-1] == 1
anonymous, mapped = kilobytes("RssAnon") - anonymous, kilobytes("RssFile") - mapped
print(anonymous, mapped, kilobytes("VmHWM") - peak, target.nbytes // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_reading_a_quarter_takes_the_memory_of_a_quarter(tmp_path, dtype):
    """Of a tensor of 64 MB. The file's own pages are the kernel's, which takes them back."""
    numel = 16 << 20
    for rank in range(2):
        half = Part("param", "x", rank * numel // 2, torch.ones(numel // 2))
        write_shard(tmp_path, rank, 2, [half])
    command = [sys.executable, "-c", QUARTER, str(numel), str(tmp_path), dtype]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    anonymous, mapped, peak, target = map(int, output.split())
    slack = 2 << 10
    assert target <= anonymous + slack
    assert anonymous < target + slack
    assert peak - mapped < target + slack


def test_a_shard_index_of_no_tensors_has_no_keys(tmp_path):
    write_shard(tmp_path, 0, 1, [])
    assert ShardIndex(tmp_path, 1, {}).keys() == []
    zero = ShardIndex(tmp_path, 1, {"param/x": TensorRecord.of((3, 0), torch.float32)})
    assert zero.read("param", "x").shape == (3, 0)
