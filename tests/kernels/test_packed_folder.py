"""Packed weights shared by processes: packed once, bounded, and whole whatever happens."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from raylm_kernels.cpu.packed_folder import LIMIT, PackedFolder


@pytest.fixture(autouse=True)
def _alone(packed_files):
    """No other test's files."""


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# A model that counts how often its weights are read.
START = """
import sys, torch
from raylm_kernels.cpu import packed_file
from raylm_kernels.cpu.decoder import DecoderDims, PackedDecoder

class Zeros(dict):
    reads = 0
    def __missing__(self, name):
        Zeros.reads += 1
        at = name.removeprefix("model.").partition("layers.0.")[2] or name
        return torch.full(SHAPES[at], 0.5)
    def __contains__(self, name):
        return "bias" not in name

SHAPES = {
    "model.embed_tokens.weight": (64, 64), "model.norm.weight": (64,),
    "input_layernorm.weight": (64,), "post_attention_layernorm.weight": (64,),
    "self_attn.q_proj.weight": (64, 64), "self_attn.k_proj.weight": (64, 64),
    "self_attn.v_proj.weight": (64, 64), "self_attn.o_proj.weight": (64, 64),
    "mlp.gate_proj.weight": (64, 64), "mlp.up_proj.weight": (64, 64),
    "mlp.down_proj.weight": (64, 64),
}

def start():
    dims = DecoderDims(
        vocab_size=64, hidden_size=64, intermediate_size=64, num_layers=1, num_heads=2,
        num_kv_heads=2, head_dim=32, norm_eps=1e-5, inv_freq=torch.ones(16),
    )
    sizes = {"threads": 1, "num_blocks": 2, "block_size": 16}
    PackedDecoder(dims, Zeros(), weight_bits=8, fingerprint="x", **sizes)
    return Zeros.reads
"""

TOGETHER = """
print("ready", flush=True)
sys.stdin.readline()
print(start())
"""

STOPPED = """
def half(file, *rest):
    file.write(b"half of a file" * 1000)
    file.flush()
    print("writing", flush=True)
    sys.stdin.readline()

packed_file.write = half
start()
"""


@contextmanager
def process(script: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-W", "error", "-c", START + script]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as started:
        yield started


def test_processes_that_start_at_once_pack_once(packed_files):
    with process(TOGETHER) as one, process(TOGETHER) as two:
        for each in (one, two):
            assert each.stdout.readline() == "ready\n"
        for each in (one, two):
            each.stdin.write("go\n")
            each.stdin.flush()
        reads = sorted(int(each.communicate(timeout=60)[0]) for each in (one, two))
    assert reads[0] == 0
    assert reads[1] > 0
    assert [path.suffix for path in packed_files.iterdir()] == [".packed"]


def test_a_kill_while_it_is_written_leaves_no_bad_file(packed_files):
    with process(STOPPED) as killed:
        assert killed.stdout.readline() == "writing\n"
        assert [path.suffix for path in packed_files.iterdir()] == [".draft"]
        killed.send_signal(signal.SIGKILL)
    here: dict[str, Any] = {}
    exec(START, here)
    assert here["start"]() > 0
    assert [path.suffix for path in packed_files.iterdir()] == [".packed"]
    here["Zeros"].reads = 0
    assert here["start"]() == 0


def test_what_a_killed_process_left_of_another_model_goes(toy, packed_files):
    packed_files.mkdir()
    (packed_files / "other.draft").write_bytes(b"half of a file")
    toy().packed(fingerprint="x")
    assert [path.suffix for path in packed_files.iterdir()] == [".packed"]


def test_files_may_go_and_come_while_others_read(toy, packed_files):
    model = toy()
    expected = model.answer(fingerprint="x")
    (file,) = packed_files.iterdir()
    is_over = threading.Event()

    def start_again() -> int:
        count = 0
        while not is_over.is_set():
            assert torch.equal(model.answer(fingerprint="x"), expected)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        counts = [pool.submit(start_again) for _ in range(3)]
        for _ in range(30):
            file.unlink(missing_ok=True)
            model.packed(fingerprint="x")
        is_over.set()
        assert all(count.result() > 0 for count in counts)
    assert names(packed_files) == [file.name]


def test_packing_that_fails_leaves_nothing(toy, packed_files):
    model = toy()
    del model.weights["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(ValueError, match=r"weights lack 'model\.layers\.1\.mlp\.up_proj"):
        model.packed(fingerprint="x")
    assert names(packed_files) == []


def test_a_folder_nobody_can_write_costs_one_warning(toy, packed_files):
    packed_files.write_text("not a folder")
    with pytest.warns(UserWarning, match="packed weights are not kept") as told:
        found = toy().answer(fingerprint="x")
    assert len(told) == 1
    assert torch.equal(found, toy().answer())


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_without_permission_costs_one_warning(toy, packed_files):
    packed_files.mkdir(mode=0o500)
    with pytest.warns(UserWarning, match="Permission denied") as told:
        toy().packed(fingerprint="x")
    assert len(told) == 1


def test_a_file_nobody_can_read_is_told(toy, packed_files):
    model = toy()
    expected = model.answer(fingerprint="x")
    (file,) = packed_files.iterdir()
    file.unlink()
    file.mkdir()
    with pytest.warns(UserWarning, match="Is a directory"):
        assert torch.equal(model.answer(fingerprint="x"), expected)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing more fails in this process, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails_costs_one_warning_and_leaves_nothing(toy, packed_files):
    expected = toy().answer()
    refused = pytest.warns(UserWarning, match="packed weights are not kept")
    with refused as told, files_of_at_most(99_999):
        found = toy().answer(fingerprint="x")
    assert len(told) == 1
    assert torch.equal(found, expected)
    assert names(packed_files) == []


def test_a_disk_without_room_is_not_filled(toy, packed_files, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.warns(UserWarning, match="No space left on device"):
        toy().packed(fingerprint="x")
    assert names(packed_files) == []


def test_the_file_that_was_not_used_for_longest_goes(toy, packed_files, monkeypatch):
    model = toy()
    model.packed(fingerprint="first")
    (first,) = packed_files.iterdir()
    size = first.stat().st_size
    monkeypatch.setenv(LIMIT, str(2.5 * size / 2**30))
    model.packed(fingerprint="second")
    (second,) = set(packed_files.iterdir()) - {first}
    for order, path in enumerate((first, second)):
        os.utime(path, (order, order))
    assert list(PackedFolder().sizes()) == [first, second]
    model.unread().packed(fingerprint="first")
    assert list(PackedFolder().sizes()) == [second, first]
    model.packed(fingerprint="third")
    assert len(PackedFolder().sizes()) == 2
    assert first.exists()
    assert not second.exists()


def test_a_limit_of_zero_keeps_none(toy, packed_files, monkeypatch):
    monkeypatch.setenv(LIMIT, "0")
    toy().packed(fingerprint="x")
    assert not packed_files.exists()


def test_more_than_the_limit_is_told(toy, packed_files, monkeypatch):
    monkeypatch.setenv(LIMIT, "0.00001")
    with pytest.warns(UserWarning, match=f"not kept: {LIMIT} allows"):
        toy().packed(fingerprint="x")
    assert not packed_files.exists()


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_named(toy, monkeypatch, text):
    monkeypatch.setenv(LIMIT, text)
    with pytest.raises(ValueError, match=f"{LIMIT} is '{text}'"):
        toy().packed(fingerprint="x")
