import json
import pickle
from pathlib import Path

import pytest
import transformers

from raylm.core.errors import WeightsError
from raylm.data.tokenizer import END_OF_TEXT, Tokenizer
from raylm.models.source import open_model

SAMPLES = json.loads((Path(__file__).parent / "smollm2_ids.json").read_text())["samples"]
TEXTS = [sample["text"] for sample in SAMPLES]


@pytest.fixture(scope="module")
def smollm2() -> Tokenizer:
    return open_model("smollm2").tokenizer


@pytest.fixture(scope="module")
def trained() -> Tokenizer:
    sources = sorted(Path(json.__file__).parent.glob("*.py"))
    return Tokenizer.train_bpe((path.read_text() for path in sources), vocab_size=600)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: repr(sample["text"])[:24])
def test_smollm2_ids_equal_llama_cpps(smollm2, sample):
    assert smollm2.encode(sample["text"]) == sample["ids"]
    assert smollm2.decode(sample["ids"], skip_special_tokens=False) == sample["text"]


def test_smollm2_knows_its_special_tokens(smollm2):
    assert smollm2.vocab_size == 49_152
    assert smollm2.eos_id == smollm2.token_to_id("<|im_end|>") == 2
    assert smollm2.bos_id == 1
    assert smollm2.stop_ids == {smollm2.token_to_id("<|endoftext|>"), 2}
    assert smollm2.special_tokens == {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}
    assert smollm2.decode([1, 28120, 2]) == smollm2.decode([28120])
    assert smollm2.token_to_id("no such token") is None


def test_a_trained_tokenizer_loses_nothing(trained):
    assert trained.vocab_size == 600
    assert trained.eos_id == trained.token_to_id(END_OF_TEXT) == 0
    assert trained.stop_ids == {0}
    for text in TEXTS:
        ids = trained.encode(text)
        assert trained.decode(ids, skip_special_tokens=False) == text
        assert max(ids, default=0) < 600


def test_training_learns_words_and_keeps_digits_apart(trained):
    assert trained.encode(" self") == [trained.token_to_id("Ġself")]
    assert len(trained.encode("2024")) == 4
    assert trained.encode(f"a{END_OF_TEXT}b")[1] == trained.eos_id


def test_training_is_repeatable(trained):
    texts = ["the cat sat on the mat, the rat on the hat"] * 3
    first, second = (Tokenizer.train_bpe(texts, 280).backend.to_str() for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["smollm2", "trained"])
def test_a_saved_folder_is_the_same_tokenizer(request, tmp_path, name):
    tokenizer = request.getfixturevalue(name)
    tokenizer.save(tmp_path)
    again = Tokenizer.from_folder(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = tokenizer.encode(text)
        assert again.encode(text) == ids
        assert theirs(text, add_special_tokens=False)["input_ids"] == ids
        assert theirs.decode(ids) == tokenizer.decode(ids, skip_special_tokens=False)
    assert again.stop_ids == tokenizer.stop_ids
    assert (again.bos_id, again.eos_id) == (tokenizer.bos_id, tokenizer.eos_id)
    assert theirs.eos_token_id == tokenizer.eos_id


def test_older_configs_describe_tokens_at_length(trained, tmp_path):
    trained.save(tmp_path)
    described = {"eos_token": {"content": END_OF_TEXT, "special": True}, "bos_token": None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(described))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 17]}))
    tokenizer = Tokenizer.from_folder(tmp_path)
    assert (tokenizer.bos_id, tokenizer.eos_id) == (None, 0)
    assert tokenizer.stop_ids == {0, 17}


def test_a_pickled_tokenizer_is_the_same(trained):
    again = pickle.loads(pickle.dumps(trained))
    assert again.encode(TEXTS[3]) == trained.encode(TEXTS[3])
    assert again.stop_ids == trained.stop_ids


def test_a_bad_folder_is_named(trained, tmp_path):
    with pytest.raises(WeightsError, match=r"has no tokenizer\.json; save it with"):
        Tokenizer.from_folder(tmp_path)
    trained.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(WeightsError, match=r"tokenizer_config\.json: holds a JSON list"):
        Tokenizer.from_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"')
    with pytest.raises(WeightsError, match=r"tokenizer\.json: not a tokenizer"):
        Tokenizer.from_folder(tmp_path)
