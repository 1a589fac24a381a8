"""A second start of a model reads what the first one packed, unless the model has changed."""

import os
from pathlib import Path

import pytest
import torch

from raylm.core.errors import ConfigError
from raylm.core.sampling import SamplingParams
from raylm.infer.llm import LLM
from raylm.models.gguf_weights import GgufWeights
from raylm.models.hf_weights import HfWeights, save_hf_folder
from raylm.models.source import ModelSource
from raylm_kernels.cpu import build
from raylm_kernels.custom import cache_dir

pytestmark = pytest.mark.skipif(not build.available()[0], reason=build.available()[1])


@pytest.fixture(autouse=True)
def packed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of packed weights: not there yet, beside the compiled kernels."""
    kernels, root = cache_dir(), tmp_path / "cache"
    root.mkdir()
    (root / "kernels").symlink_to(kernels)
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(root))
    monkeypatch.delenv("RAYLM_PACKED_CACHE_GIB", raising=False)
    return root / "packed"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of tensors that were read from files."""
    found: list[str] = []

    def watched(kind: type[HfWeights] | type[GgufWeights]) -> None:
        read = kind.__getitem__

        def watch(weights: HfWeights | GgufWeights, name: str) -> torch.Tensor:
            found.append(name)
            return read(weights, name)  # type: ignore[arg-type]

        monkeypatch.setattr(kind, "__getitem__", watch)

    watched(HfWeights)
    watched(GgufWeights)
    return found


@pytest.fixture
def folder(tiny_source: ModelSource, tmp_path: Path) -> Path:
    save_hf_folder(tmp_path / "model", tiny_source.spec, tiny_source.weights, tiny_source.tokenizer)
    return tmp_path / "model"


def answer(model: str | Path, quantization: str = "int4", **options: object) -> list[int]:
    llm = LLM(model, quantization=quantization, max_model_len=64, **options)
    params = SamplingParams(max_tokens=12, temperature=0, ignore_eos=True)
    return list(llm.generate("the quick brown", params)[0].token_ids)


@pytest.mark.parametrize("quantization", ["int4", "int8"])
@pytest.mark.parametrize("kv_cache_dtype", ["auto", "int8"])
def test_a_second_start_reads_no_tensor(
    folder: Path, reads: list[str], quantization: str, kv_cache_dtype: str
) -> None:
    options = {"quantization": quantization, "kv_cache_dtype": kv_cache_dtype}
    expected = answer(folder, threads=1, **options)
    assert reads
    reads.clear()
    assert answer(folder, threads=2, **options) == expected
    assert reads == []


def test_an_int4_head_has_a_file_of_its_own(folder: Path, reads: list[str]) -> None:
    eight = answer(folder)
    reads.clear()
    four = answer(folder, head_quantization="int4")
    assert reads
    reads.clear()
    assert answer(folder, head_quantization="int4") == four
    assert answer(folder, head_quantization="int8") == answer(folder) == eight
    assert reads == []


def test_a_change_of_the_weights_is_noticed(
    folder: Path, reads: list[str], tiny_source: ModelSource
) -> None:
    before = answer(folder)
    state = {name: tiny_source.weights[name] for name in tiny_source.weights}
    name = "model.layers.0.mlp.down_proj.weight"
    status = (folder / "model.safetensors").stat()
    changed = state | {name: -state[name]}
    save_hf_folder(folder, tiny_source.spec, changed, tiny_source.tokenizer)
    os.utime(folder / "model.safetensors", ns=(status.st_atime_ns, status.st_mtime_ns))
    reads.clear()
    assert answer(folder) != before
    assert reads


def test_weights_in_memory_are_packed_each_time(
    tiny_source: ModelSource, packed_files: Path
) -> None:
    assert tiny_source.weights.fingerprint is None
    LLM(tiny_source, quantization="int4", threads=1)
    assert not packed_files.exists()


def test_a_limit_that_is_no_number_is_a_configuration_error(
    tiny_source: ModelSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYLM_PACKED_CACHE_GIB", "much")
    with pytest.raises(ConfigError, match="RAYLM_PACKED_CACHE_GIB is 'much'"):
        LLM(tiny_source, quantization="int4")


def test_the_default_model(reads: list[str]) -> None:
    expected = answer("smollm2")
    assert reads
    reads.clear()
    assert answer("smollm2") == expected
    assert reads == []
