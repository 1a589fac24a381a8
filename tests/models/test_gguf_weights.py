import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType as Kind
from gguf.constants import GGML_QUANT_SIZES
from transformers.integrations.gguf import dequant

from raylm.core.errors import WeightsError
from raylm.models.decoder import Decoder
from raylm.models.source import open_model

# Where each kind's block keeps its float16 scales.
SCALES_AT = {
    Kind.Q4_0: [0],
    Kind.Q4_1: [0, 2],
    Kind.Q8_0: [0],
    Kind.Q2_K: [80, 82],
    Kind.Q3_K: [108],
    Kind.Q4_K: [0, 2],
    Kind.Q5_K: [0, 2],
    Kind.Q6_K: [208],
}


@pytest.fixture
def state(tiny_spec):
    torch.manual_seed(0)
    return Decoder(tiny_spec).state_dict()


@pytest.mark.parametrize("arch", ["llama", "qwen2"])
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        (Kind.F32, 0.0),
        (Kind.F16, 5e-4),
        (Kind.BF16, 4e-3),
        (Kind.Q8_0, 0.01),
        (Kind.Q5_1, 0.06),
        (Kind.Q5_0, 0.08),
        (Kind.Q4_1, 0.1),
        (Kind.Q4_0, 0.12),
    ],
)
def test_what_was_written_is_read(tiny_spec, state, write_gguf, kind, tolerance, arch):
    weights = open_model(write_gguf(tiny_spec, state, arch=arch, kind=kind)).weights
    assert set(weights) == set(state)
    for name, expected in state.items():
        read = weights[name]
        assert read.dtype == torch.float32
        assert (read - expected).norm() <= tolerance * expected.norm(), name


def random_blocks(kind, rows, columns, seed):
    block, size = GGML_QUANT_SIZES[kind]
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (rows, columns // block, size), np.uint8)
    for at in SCALES_AT[kind]:
        scales = rng.uniform(-0.1, 0.1, blocks.shape[:2]).astype(np.float16)
        blocks[..., at : at + 2] = scales[..., None].view(np.uint8)
    return blocks.reshape(rows, -1)


@pytest.mark.parametrize("kind", SCALES_AT, ids=lambda kind: kind.name)
def test_blocks_are_dequantised_as_transformers_does(tiny_spec, state, write_gguf, kind):
    blocks = {
        name: random_blocks(kind, *shape, seed)
        for seed, (name, shape) in enumerate(tiny_spec.parameters())
        if len(shape) == 2
    }
    path = write_gguf(tiny_spec, state, arch="qwen2", kind=kind, blocks=blocks)
    weights = open_model(path).weights
    for name, stored in blocks.items():
        expected = dequant.dequantize(torch.from_numpy(stored), int(kind))
        torch.testing.assert_close(weights[name], expected.view(weights.shapes[name]))


def test_each_read_is_the_readers_own(tiny_spec, state, write_gguf):
    weights = open_model(write_gguf(tiny_spec, state)).weights
    weights["model.norm.weight"].zero_()
    assert weights["model.norm.weight"].eq(1).all()


def test_asking_what_is_there_reads_nothing(tiny_spec, state, write_gguf, monkeypatch):
    weights = open_model(write_gguf(tiny_spec, state)).weights
    monkeypatch.setattr("raylm.models.gguf_weights.dequantize", None)
    assert "lm_head.weight" not in weights
    assert "model.norm.weight" in weights
    assert weights.shapes["model.norm.weight"] == (tiny_spec.hidden_size,)


def test_missing_and_misshapen_tensors_are_named(tiny_spec, state, write_gguf):
    without = {n: t for n, t in state.items() if n != "model.layers.1.mlp.up_proj.weight"}
    with pytest.raises(WeightsError, match=r"llama-F32\.gguf: .*layers\.1\.mlp\.up_proj.* missing"):
        open_model(write_gguf(tiny_spec, without))
    wrong = state | {"model.norm.weight": torch.ones(8)}
    with pytest.raises(WeightsError, match=r"'model\.norm\.weight' has the shape \(8,\), not"):
        open_model(write_gguf(tiny_spec, wrong))


def test_a_kind_nobody_dequantises_is_named(tiny_spec, state, write_gguf):
    blocks = {n: np.zeros(t.shape, np.int8) for n, t in state.items() if t.ndim == 2}
    path = write_gguf(tiny_spec, state, kind=Kind.I8, blocks=blocks)
    with pytest.raises(WeightsError, match=r"blk\.0\.ffn_up\.weight.* I8"):
        open_model(path).weights["model.layers.0.mlp.up_proj.weight"]


@pytest.mark.parametrize("kind", [Kind.F32, Kind.Q4_1])
def test_a_part_is_what_the_whole_has_there(tiny_spec, state, write_gguf, kind):
    weights = open_model(write_gguf(tiny_spec, state, kind=kind)).weights
    for name, whole in weights.items():
        part = weights.part(name, slice(5, 43), slice(3, 100))
        assert torch.equal(part, whole[5:43] if whole.ndim == 1 else whole[5:43, 3:100])
        assert part.is_contiguous()
