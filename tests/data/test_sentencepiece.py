import json
from pathlib import Path

import numpy as np
import pytest

from raylm.data.sentencepiece import merges_from_scores
from raylm.data.tokenizer import Tokenizer

MODEL = json.loads((Path(__file__).parent / "sentencepiece.json").read_text())
METADATA = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": MODEL["tokens"],
    "tokenizer.ggml.scores": np.array(MODEL["scores"], np.float32),
    "tokenizer.ggml.token_type": np.array(MODEL["token_types"], np.int32),
    "tokenizer.ggml.unknown_token_id": 0,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_gguf(METADATA)


@pytest.mark.parametrize("sample", MODEL["samples"], ids=lambda s: repr(s["text"])[:24])
def test_ids_equal_sentencepieces(tokenizer, sample):
    assert tokenizer.encode(sample["text"]) == sample["ids"]
    assert tokenizer.decode(sample["ids"]) == sample["text"]


def test_bos_is_added_unless_the_file_says_otherwise(tokenizer):
    plain = tokenizer.encode("thou")
    assert tokenizer.encode("thou", add_special_tokens=True) == [1, *plain]
    without = Tokenizer.from_gguf(METADATA | {"tokenizer.ggml.add_bos_token": False})
    assert without.encode("thou", add_special_tokens=True) == plain


def test_the_prefix_space_can_be_off(tokenizer):
    bare = Tokenizer.from_gguf(METADATA | {"tokenizer.ggml.add_space_prefix": False})
    assert bare.encode(" thou") == tokenizer.encode("thou")
    assert bare.decode(bare.encode(" thou")) == " thou"


def test_merges_come_best_token_first():
    scores = {"a": -9.0, "b": -9.0, "c": -9.0, "ab": -2.0, "abc": -1.0, "bc": -3.0}
    assert merges_from_scores(scores) == [("a", "bc"), ("ab", "c"), ("a", "b"), ("b", "c")]
