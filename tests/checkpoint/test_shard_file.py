import hashlib
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from raylm.checkpoint import shard_file
from raylm.checkpoint.shard_file import Part, read_record, shard_name, split_key, write_shard
from raylm.core.errors import CheckpointError

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
)
NAMES = st.text(st.sampled_from('aé.@/0"\\\n '), min_size=1)


def test_safetensors_reads_every_dtype_back(tmp_path):
    parts = [
        Part("param", str(dtype), 7 * size, torch.arange(size).to(dtype))
        for dtype in DTYPES
        for size in (0, 1, 5)
    ]
    write_shard(tmp_path, 0, 1, reversed(parts))
    found = load_file(tmp_path / shard_name(0, 1))
    assert found.keys() == {part.key for part in parts}
    for part in parts:
        assert found[part.key].dtype == part.values.dtype
        assert torch.equal(found[part.key], part.values)


def test_the_header_is_aligned_and_so_is_every_tensor(tmp_path):
    parts = [Part("k", str(d), 0, torch.ones(3, dtype=d)) for d in reversed(DTYPES)]
    write_shard(tmp_path, 0, 1, parts)
    data = (tmp_path / shard_name(0, 1)).read_bytes()
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0
    offsets = {k: e["data_offsets"] for k, e in json.loads(data[8 : 8 + length]).items()}
    for part in parts:
        assert offsets[part.key][0] % part.values.element_size() == 0


@pytest.mark.parametrize("block", [1, 3, 10, 1000])
def test_blocks_make_no_difference(tmp_path, monkeypatch, block):
    values = torch.arange(20.0)
    strided = torch.arange(20.0).repeat_interleave(2)[::2].requires_grad_()
    monkeypatch.setattr(shard_file, "_BLOCK", block)
    write_shard(tmp_path, 0, 1, [Part("a", "x", 0, values), Part("b", "x", 0, strided)])
    found = load_file(tmp_path / shard_name(0, 1))
    assert torch.equal(found["a/x@0"], values)
    assert torch.equal(found["b/x@0"], values)


def test_the_record_is_of_what_is_on_the_disk(tmp_path):
    record = write_shard(tmp_path, 2, 4, [Part("param", "x", 0, torch.rand(1000))])
    data = (tmp_path / "shard-00002-of-00004.safetensors").read_bytes()
    assert record.size_bytes == len(data)
    assert record.sha256 == hashlib.sha256(data).hexdigest()
    assert read_record(tmp_path, 2, 4) == record
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["shard-00002-of-00004.json", "shard-00002-of-00004.safetensors"]


def test_a_rank_may_hold_nothing(tmp_path):
    write_shard(tmp_path, 0, 1, [])
    assert load_file(tmp_path / shard_name(0, 1)) == {}


@given(st.text(st.sampled_from("ab@ "), min_size=1), NAMES, st.integers(0, 1 << 60))
def test_any_name_round_trips(kind, name, start):
    key = Part(kind, name, start, torch.zeros(1)).key
    assert split_key(key) == (f"{kind}/{name}", start)
    found_kind, _, found_name = split_key(key)[0].partition("/")
    assert (found_kind, found_name) == (kind, name)


@pytest.mark.parametrize("name", ["a/b@c", "@", 'é/"\\\n@7', "x@1"])
def test_odd_names_are_stored(tmp_path, name):
    write_shard(tmp_path, 0, 1, [Part("param", name, 3, torch.ones(2))])
    assert list(load_file(tmp_path / shard_name(0, 1))) == [f"param/{name}@3"]


@pytest.mark.parametrize("key", ["param/x", "x@0", "/x@0", "param/x@", "param/x@-1", "param/x@²"])
def test_other_keys_are_refused(key):
    with pytest.raises(ValueError, match="is not KIND/NAME@START"):
        split_key(key)


def test_parts_that_are_none_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'a/b' is empty or has a slash"):
        Part("a/b", "x", 0, torch.zeros(1))
    with pytest.raises(ValueError, match=r"param/x@0: not an interval: .* shape \(2, 2\)"):
        Part("param", "x", 0, torch.zeros(2, 2))
    with pytest.raises(ValueError, match="not an interval: starts at -1"):
        Part("param", "x", -1, torch.zeros(2))
    twice = [Part("param", "x", 0, torch.zeros(1)), Part("param", "x", 0, torch.zeros(2))]
    with pytest.raises(ValueError, match="param/x@0 is in this shard twice"):
        write_shard(tmp_path, 0, 1, twice)
    with pytest.raises(ValueError, match="cannot hold torch"):
        write_shard(tmp_path, 0, 1, [Part("a", "x", 0, torch.zeros(1, dtype=torch.complex64))])
    assert not list(tmp_path.iterdir())


def test_a_missing_shard_or_sidecar_is_named(tmp_path):
    write_shard(tmp_path, 0, 2, [])
    with pytest.raises(CheckpointError, match=r"shard-00001-of-00002.safetensors: missing: rank 1"):
        read_record(tmp_path, 1, 2)
    (tmp_path / "shard-00000-of-00002.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"shard-00000-of-00002.json: not a shard's size"):
        read_record(tmp_path, 0, 2)
    write_shard(tmp_path, 0, 2, [])
    (tmp_path / shard_name(0, 2)).write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated: 0 bytes, expected 16"):
        read_record(tmp_path, 0, 2)
    (tmp_path / shard_name(0, 2)).unlink()
    with pytest.raises(CheckpointError, match="missing: rank 0 of 2"):
        read_record(tmp_path, 0, 2)
