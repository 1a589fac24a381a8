"""Packed weights in a file: the same to the bit, and never worse than packing anew."""

import pytest
import torch

from raylm_kernels.cpu import build
from raylm_kernels.cpu.packed_folder import PackedFolder

SHAPES = [
    {"head_dim": 20},
    {"intermediate_size": 100},
    {"qk_norm": True},
    {"attention_bias": True},
    {"hidden_size": 64, "vocab_size": 40},
    {"num_heads": 7, "num_kv_heads": 1},
]


@pytest.fixture(autouse=True)
def _alone(packed_files):
    """No other test's files."""


@pytest.mark.parametrize("threads", [(1, 1), (1, 2), (2, 1), (3, 2)], ids=str)
@pytest.mark.parametrize(
    ("bits", "head_bits", "kv_bits"), [(4, 8, 16), (4, 8, 8), (8, 8, 16), (8, 8, 8), (4, 4, 16)]
)
@pytest.mark.parametrize("tied", [True, False])
def test_what_is_read_is_what_was_packed(toy, tied, bits, head_bits, kv_bits, threads):
    model = toy(tie_embeddings=tied)
    options = {"weight_bits": bits, "head_bits": head_bits, "kv_bits": kv_bits}
    expected = model.answer(**options)
    first, second = ({**options, "threads": count, "fingerprint": "x"} for count in threads)
    assert torch.equal(model.answer(**first), expected)
    assert torch.equal(model.unread().answer(**second), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape(toy, shape):
    model = toy(**shape)
    if "attention_bias" in shape:
        model.weights["model.layers.1.self_attn.o_proj.bias"] = torch.randn(96)
    tokens = {} if "vocab_size" not in shape else {"threads": 7}  # more than there are units
    expected = model.answer(fingerprint="x")
    assert torch.equal(model.unread().answer(fingerprint="x", **tokens), expected)


def test_instruction_sets_share_a_file(toy, isa):
    model = toy()
    model.packed(isa=build.isas()[-1], fingerprint="x")
    assert torch.equal(model.unread().answer(isa=isa, fingerprint="x"), model.answer(isa=isa))


def test_no_file_without_a_fingerprint(toy, packed_files):
    toy().packed()
    assert not packed_files.exists()


def test_other_weights_bits_and_shapes_have_files_of_their_own(toy):
    toy().packed(fingerprint="x")
    toy().packed(fingerprint="y")
    toy().packed(fingerprint="x", weight_bits=4)
    toy().packed(fingerprint="x", head_bits=4)
    toy().packed(fingerprint="x", weight_bits=4, head_bits=4)
    toy(rope_attention_factor=1.3).packed(fingerprint="x")
    toy(inv_freq=torch.ones(16)).packed(fingerprint="x")
    assert len(PackedFolder().sizes()) == 7


def flipped(at):
    """A bit of a byte, which is a place or a part of the file."""

    def damage(content):
        place = int(at * len(content)) if isinstance(at, float) else at
        changed = bytearray(content)
        changed[place] ^= 0x10
        return bytes(changed)

    return damage


DAMAGE = {
    "format": flipped(0),
    "version": lambda content: content.replace(b"packed 1", b"packed 2", 1),
    "header's size": flipped(17),
    "header's checksum": flipped(21),
    "header": flipped(40),
    "vectors": flipped(1500),
    "a matrix": flipped(0.3),
    "another matrix": flipped(0.7),
    "the last byte": flipped(-1),
    "empty": lambda content: b"",
    "start alone": lambda content: content[:10],
    "header alone": lambda content: content[:200],
    "a half": lambda content: content[: len(content) // 2],
    "one byte less": lambda content: content[:-1],
    "one byte more": lambda content: content + b"\0",
    "a hole": lambda content: content[:9000] + bytes(4096) + content[13096:],
    "pages swapped": lambda content: (
        content[:12288] + content[16384:20480] + content[12288:16384] + content[20480:]
    ),
    "another kind of file": lambda content: b"#!/bin/sh\n" * 5000,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_told_once_and_packed_anew(toy, packed_files, kind, threads):
    model = toy()  # 96 wide: its blocks of 64 end in padding, which packing leaves as it is
    options = {"weight_bits": 4, "threads": threads, "fingerprint": "x"}
    expected = model.answer(**options)
    (file,) = packed_files.iterdir()
    whole = file.read_bytes()
    file.write_bytes(DAMAGE[kind](whole))
    assert file.read_bytes() != whole
    with pytest.warns(UserWarning, match=f"{file} cannot be used, it") as told:
        found = model.answer(**options)
    assert len(told) == 1
    assert torch.equal(found, expected)
    assert file.read_bytes() == whole
    assert torch.equal(model.unread().answer(**options), expected)


def test_the_file_of_another_model_is_not_taken_for_this_one(toy, packed_files):
    model = toy()
    expected = model.answer(fingerprint="x")
    (file,) = packed_files.iterdir()
    toy(seed=1).packed(fingerprint="y")
    (foreign,) = set(packed_files.iterdir()) - {file}
    foreign.replace(file)
    with pytest.warns(UserWarning, match="it holds other weights"):
        assert torch.equal(model.answer(fingerprint="x"), expected)
    assert torch.equal(model.unread().answer(fingerprint="x"), expected)
