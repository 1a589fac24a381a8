import dataclasses
import json

import pytest
import torch
import transformers
from safetensors.torch import save_file

from raylm.core.errors import WeightsError
from raylm.data.chat_template import ChatTemplate
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.hf_config import hf_config
from raylm.models.hf_weights import HfWeights, save_hf_folder
from raylm.models.source import open_model
from raylm.models.spec import ModelSpec
from raylm.nn.rope_scaling import FactorScaling, Llama3Scaling

SPEC = ModelSpec(
    vocab_size=300,
    hidden_size=48,
    intermediate_size=64,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=12,
    max_positions=64,
)
VARIANTS = {
    "llama": {},
    "untied": {"tie_embeddings": False},
    "qwen2": {"attention_bias": True},
    "qwen3": {"qk_norm": True, "head_dim": 16},
    "mistral": {"num_heads": 5, "num_kv_heads": 1},
    "llama3": {"rope_scaling": Llama3Scaling(8.0, 1.0, 4.0, 16)},
    "divisors": {"rope_scaling": FactorScaling((1.0, 1.5, 2.0, 3.0, 4.0, 5.0))},
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train_bpe(["a small text, of few words"] * 2, 270)


def random_decoder(spec: ModelSpec) -> Decoder:
    torch.manual_seed(0)
    decoder = Decoder(spec)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return decoder


@pytest.mark.parametrize("name", VARIANTS)
@torch.no_grad()
def test_transformers_loads_a_saved_folder_with_equal_logits(tmp_path, tokenizer, name):
    spec = dataclasses.replace(SPEC, **VARIANTS[name])
    decoder = random_decoder(spec)
    save_hf_folder(tmp_path, spec, decoder.state_dict(), tokenizer, ChatTemplate("{{ messages }}"))
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, output_loading_info=True
    )
    assert not any(report.values())
    tokens = torch.randint(0, 300, (2, 40))
    torch.testing.assert_close(decoder(tokens), theirs(tokens).logits, rtol=1e-4, atol=1e-5)
    assert theirs.generation_config.eos_token_id == [0]
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.chat_template == "{{ messages }}"
    source = open_model(tmp_path)
    assert source.spec == spec
    assert source.chat_template is not None
    torch.testing.assert_close(Decoder.from_source(source)(tokens), decoder(tokens))


@torch.no_grad()
def test_bfloat16_folders_stay_bfloat16(tmp_path, tokenizer):
    decoder = random_decoder(SPEC).to(torch.bfloat16)
    save_hf_folder(tmp_path, SPEC, decoder.state_dict(), tokenizer)
    source = open_model(tmp_path)
    assert source.chat_template is None
    assert {tensor.dtype for tensor in source.weights.values()} == {torch.bfloat16}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    tokens = torch.arange(20).view(1, 20)
    loaded = Decoder.from_source(source, torch.bfloat16)
    assert torch.equal(loaded(tokens), decoder(tokens))


@torch.no_grad()
def test_a_sharded_folder_written_by_transformers(tmp_path, tokenizer):
    config = transformers.Qwen3Config(**{**hf_config(SPEC), "num_hidden_layers": 3})
    model = transformers.Qwen3ForCausalLM(config).to(torch.float16)
    model.save_pretrained(tmp_path, max_shard_size="60KB")
    tokenizer.save(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    source = open_model(tmp_path)
    assert source.weights["model.norm.weight"].dtype == torch.float32
    tokens = torch.randint(0, 300, (1, 30))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    expected = theirs(tokens).logits
    torch.testing.assert_close(Decoder.from_source(source)(tokens), expected, rtol=1e-4, atol=1e-5)


def test_each_read_is_the_readers_own(tmp_path):
    save_file({"a": torch.ones(3)}, tmp_path / "model.safetensors")
    weights = HfWeights(tmp_path)
    weights["a"].zero_()
    assert weights["a"].tolist() == [1, 1, 1]
    assert weights.shapes == {"a": (3,)}


def index(folder, weight_map):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def test_faults_of_a_folder_are_named(tmp_path):
    with pytest.raises(WeightsError, match=r"has neither model\.safetensors nor"):
        HfWeights(tmp_path)
    index(tmp_path, {"a": "one.safetensors"})
    with pytest.raises(WeightsError, match=r"one\.safetensors: no such file, but the index"):
        HfWeights(tmp_path)
    save_file({"a": torch.ones(3)}, tmp_path / "one.safetensors")
    index(tmp_path, {"a": "one.safetensors", "b": "one.safetensors"})
    with pytest.raises(WeightsError, match=r"index\.json: names a tensor that is not there.* b"):
        HfWeights(tmp_path)
    index(tmp_path, {"a": "../one.safetensors"})
    with pytest.raises(WeightsError, match=r"'\.\./one\.safetensors' is not a file name"):
        HfWeights(tmp_path)
    index(tmp_path, ["a"])
    with pytest.raises(WeightsError, match="has no weight_map"):
        HfWeights(tmp_path)


@pytest.mark.parametrize("keep", [0, 4, 8, 40, -1])
def test_a_truncated_file_is_named(tmp_path, keep):
    save_file({"a": torch.ones(300)}, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(WeightsError, match=r"model\.safetensors: not a safetensors file"):
        HfWeights(tmp_path)


def test_integer_weights_are_refused(tmp_path):
    save_file({"a": torch.ones(3, dtype=torch.int8)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="'a' is of the kind I8, not floating-point"):
        HfWeights(tmp_path)["a"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_part_is_what_the_whole_has_there(tmp_path, tokenizer, dtype):
    spec = dataclasses.replace(SPEC, attention_bias=True)
    save_hf_folder(tmp_path, spec, random_decoder(spec).to(dtype).state_dict(), tokenizer)
    weights = open_model(tmp_path).weights
    for name, whole in weights.items():
        part = weights.part(name, slice(5, 11), slice(2, None))
        assert torch.equal(part, whole[5:11] if whole.ndim == 1 else whole[5:11, 2:])
        assert part.dtype == whole.dtype
