import json
import os

import pytest
import torch

from raylm.checkpoint.manifest import MANIFEST, VERSION, Manifest, describe_files, sha256_of
from raylm.checkpoint.tensor_record import TensorRecord
from raylm.core.errors import CheckpointError

VERSION_1 = {
    "format": "raylm.checkpoint",
    "version": 1,
    "step": 10,
    "samples": 80,
    "world_size": 2,
    "saved_at": 1.7e9,
    "config": {"seed": 1},
    "files": {},
}


@pytest.fixture
def folder(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode() * 100)
    files = describe_files(tmp_path, {})
    manifest = Manifest(step=1, samples=2, world_size=1, config={}, files=files)
    (tmp_path / MANIFEST).write_text(manifest.model_dump_json())
    return tmp_path


def write(folder, **changes):
    (folder / MANIFEST).write_text(json.dumps(VERSION_1 | changes))


def flip_a_bit(path):
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)


def test_tensors_round_trip(tmp_path):
    tensors = {"param/x": TensorRecord.of((3, 4), torch.float32)}
    written = Manifest(step=1, samples=2, world_size=1, config={}, files={}, tensors=tensors)
    (tmp_path / MANIFEST).write_text(written.model_dump_json())
    assert Manifest.read(tmp_path) == written
    assert written.version == VERSION == 2


def test_version_1_still_loads(tmp_path):
    write(tmp_path)
    manifest = Manifest.read(tmp_path)
    assert (manifest.version, manifest.step, manifest.tensors) == (1, 10, {})


@pytest.mark.parametrize("changes", [{}, {"a_field_of_the_future": 1}, {"files": "elsewhere"}])
def test_a_newer_version_says_so_whatever_it_holds(tmp_path, changes):
    write(tmp_path, version=3, **changes)
    with pytest.raises(CheckpointError, match="version 3 is newer than this RayLM's 2; upgrade"):
        Manifest.read(tmp_path)


def test_a_tensor_that_is_none_is_named(tmp_path):
    write(tmp_path, version=2, tensors={"param/x": {"shape": [1], "dtype": "F31"}})
    with pytest.raises(CheckpointError, match=r"not a manifest: tensors\.param/x\.dtype: "):
        Manifest.read(tmp_path)


def test_a_rank_checks_the_content_of_its_share(folder):
    manifest = Manifest.read(folder)
    flip_a_bit(folder / "b")
    manifest.check_files(folder, lambda file: file == "a")
    for only in (lambda file: True, lambda file: file == "b"):
        with pytest.raises(CheckpointError, match="b: corrupt: its content is not what was saved"):
            manifest.check_files(folder, only)


def test_every_size_is_checked_before_any_content(folder):
    manifest = Manifest.read(folder)
    flip_a_bit(folder / "a")
    os.truncate(folder / "b", 99)
    with pytest.raises(CheckpointError, match="b: truncated or altered: 99 bytes, expected 100"):
        manifest.check_files(folder)
    (folder / "b").unlink()
    with pytest.raises(CheckpointError, match="b: missing from the checkpoint"):
        manifest.check_files(folder, lambda file: False)


def test_files_that_are_known_are_not_read(folder):
    described = describe_files(folder, {})
    assert described.keys() == {"a", "b"}
    assert described["a"].sha256 == sha256_of(folder / "a")
    known = {"a": described["b"], "elsewhere": described["b"]}
    assert describe_files(folder, known) == {"a": described["b"], "b": described["b"]}
