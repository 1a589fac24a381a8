"""Exports are read back by the libraries they are for, and by our own loader."""

import gguf
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file

from raylm.checkpoint.export import export
from raylm.checkpoint.gguf_writer import write_gguf
from raylm.core.errors import UsageError
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.hf_weights import save_hf_folder
from raylm.models.source import open_model
from raylm.models.spec import ModelSpec
from raylm.nn.rope_scaling import LinearScaling, Llama3Scaling, YarnScaling

TEXT = "some words there, 345 of them — ünïcödé"
TOKENS = torch.arange(5, 53).view(2, 24)


def logits_of(model):
    with torch.no_grad():
        return Decoder.from_source(model)(TOKENS)


def assert_close(found, expected, tolerance=1e-4):
    assert (found - expected).norm() <= tolerance * expected.norm()


def test_transformers_loads_an_exported_run_with_equal_logits(write_checkpoint, tmp_path):
    model = write_checkpoint(10)
    folder = export(tmp_path / "run", tmp_path / "hf")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        assert_close(theirs(TOKENS).logits, model(TOKENS))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = Tokenizer.from_folder(folder).encode(TEXT)
    assert tokenizer.encode(TEXT, add_special_tokens=False) == ids
    assert tokenizer.decode(ids) == TEXT


@pytest.mark.parametrize("world_size", [1, 3])
def test_a_sharded_run_is_exported_as_it_was_saved(write_sharded_checkpoint, tmp_path, world_size):
    model = write_sharded_checkpoint(10, world_size=world_size)
    exported = load_file(export(tmp_path / "run", tmp_path / "hf") / "model.safetensors")
    parameters = dict(model.named_parameters())
    assert exported.keys() == parameters.keys()
    for name, tensor in exported.items():
        assert torch.equal(tensor, parameters[name])
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf").eval()
    with torch.no_grad():
        assert_close(theirs(TOKENS).logits, model(TOKENS))
    path = export(tmp_path / "run", tmp_path / "out", "gguf")
    with torch.no_grad():
        assert_close(logits_of(open_model(path)), model(TOKENS), 2e-3)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tie_embeddings": False},
        {"qk_norm": True},
        {"attention_bias": True},
        {"rope_scaling": LinearScaling(2.0)},
        {"rope_scaling": Llama3Scaling(8.0, 1.0, 4.0, 32)},
        {"rope_scaling": YarnScaling(2.0, 32)},
    ],
    ids=["llama", "untied", "qwen3", "qwen2", "linear", "llama3", "yarn"],
)
def test_a_gguf_file_reads_back_as_the_same_model(write_checkpoint, tmp_path, changes):
    write_checkpoint(10, **changes)
    run = tmp_path / "run"
    path = export(run, tmp_path / "out", "gguf")
    assert path == tmp_path / "out" / "run.gguf"
    before, after = open_model(run / "checkpoints" / "latest"), open_model(path)
    assert after.spec.tie_embeddings == before.spec.tie_embeddings
    assert_close(logits_of(after), logits_of(before), 2e-3)  # F16 has 11 significant bits
    assert after.tokenizer.encode(TEXT) == before.tokenizer.encode(TEXT)
    assert after.tokenizer.eos_id == before.tokenizer.eos_id
    assert after.tokenizer.stop_ids == before.tokenizer.stop_ids


def test_q8_0_is_stored_as_such_and_close(write_checkpoint, tmp_path):
    write_checkpoint(10)
    path = export(tmp_path / "run", tmp_path / "small.gguf", "gguf-q8_0")
    assert path == tmp_path / "small.gguf"
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}
    assert kinds["blk.0.ffn_up.weight"] == kinds["token_embd.weight"] == "Q8_0"
    assert kinds["blk.1.attn_norm.weight"] == "F32"
    before = open_model(tmp_path / "run" / "checkpoints" / "latest")
    assert_close(logits_of(open_model(path)), logits_of(before), 2e-2)


def test_q4_0_keeps_the_vocabulary_in_q8_0(write_checkpoint, tmp_path):
    write_checkpoint(10)
    before = open_model(tmp_path / "run" / "checkpoints" / "latest")
    path = tmp_path / "small.gguf"
    write_gguf(path, before, "q4_0")
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}
    assert kinds["blk.0.ffn_up.weight"] == kinds["blk.1.attn_q.weight"] == "Q4_0"
    assert (kinds["token_embd.weight"], kinds["output_norm.weight"]) == ("Q8_0", "F32")
    after = open_model(path)
    name = "model.layers.0.mlp.up_proj.weight"
    step = before.weights[name].abs().max() / 8  # of a block that holds the largest
    assert (after.weights[name] - before.weights[name]).abs().max() <= 1.01 * step


def test_llama_queries_and_keys_are_interleaved_as_llama_cpp_wants(write_checkpoint, tmp_path):
    """convert_hf_to_gguf.py's LlamaModel.permute, written out."""
    model = write_checkpoint(10)
    path = export(tmp_path / "run", tmp_path, "gguf")
    stored = {t.name: t.data for t in gguf.GGUFReader(path).tensors}
    for projection, heads in (("q", 4), ("k", 2)):
        rows = model.state_dict()[f"model.layers.1.self_attn.{projection}_proj.weight"].numpy()
        found = stored[f"blk.1.attn_{projection}.weight"].astype(np.float32)
        size = len(rows) // heads
        for head in range(heads):
            for i in range(size // 2):
                for half in (0, 1):
                    expected = rows[head * size + half * (size // 2) + i]
                    np.testing.assert_allclose(
                        found[head * size + 2 * i + half], expected, rtol=1e-3, atol=1e-6
                    )


def test_the_default_models_chat_template_survives(tmp_path):
    before = open_model("smollm2")
    save_small = ModelSpec(before.spec.vocab_size, 32, 32, 1, 2, 2, 16, 64)
    state = Decoder(save_small).state_dict()
    save_hf_folder(tmp_path / "hf", save_small, state, before.tokenizer, before.chat_template)
    after = open_model(export(tmp_path / "hf", tmp_path / "gguf", "gguf"))
    assert after.chat_template.source == before.chat_template.source
    text = "<|im_start|>user\nHello 2026!<|im_end|>\n"
    assert after.tokenizer.encode(text) == before.tokenizer.encode(text)
    assert after.tokenizer.stop_ids == before.tokenizer.stop_ids


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"unknown export format 'hff'; did you mean 'hf'\?"):
        export("smollm2", tmp_path, "hff")


def test_a_tokenizer_without_a_gguf_name_is_refused(write_checkpoint, tmp_path):
    import tokenizers

    write_checkpoint(10)
    folder = export(tmp_path / "run", tmp_path / "hf")
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.save(str(folder / "tokenizer.json"))
    with pytest.raises(UsageError, match="cannot be written to GGUF"):
        export(folder, tmp_path / "out", "gguf")
    assert not list(tmp_path.glob("out/*"))
