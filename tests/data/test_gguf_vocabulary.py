import numpy as np
import pytest
from tokenizers.pre_tokenizers import ByteLevel

from raylm.core.errors import WeightsError
from raylm.data.tokenizer import Tokenizer

TOKENS = ["<|endoftext|>", *sorted(ByteLevel.alphabet()), "he", "<think>", "12", "123", "Ġthe"]


@pytest.fixture
def metadata() -> dict[str, object]:
    kinds = [3 if t.startswith("<|") else 4 if t == "<think>" else 1 for t in TOKENS]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": TOKENS,
        "tokenizer.ggml.token_type": np.array(kinds, np.int32),
        "tokenizer.ggml.merges": ["h e", "1 2", "12 3"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
    }


def pieces(metadata, family, text, **options):
    tokenizer = Tokenizer.from_gguf(metadata | {"tokenizer.ggml.pre": family})
    return [tokenizer.backend.id_to_token(i) for i in tokenizer.encode(text, **options)]


def test_families_cut_digits_their_own_way(metadata):
    assert pieces(metadata, "gpt-2", "1234") == ["123", "4"]
    assert pieces(metadata, "smollm", "123") == ["1", "2", "3"]
    assert pieces(metadata, "qwen2", "123") == ["1", "2", "3"]
    assert pieces(metadata, "llama-bpe", "123123") == ["123", "123"]


def test_llama3_takes_whole_words_before_merging(metadata):
    assert pieces(metadata, "gpt-2", " the") == ["Ġ", "t", "he"]
    assert pieces(metadata, "llama-bpe", " the") == ["Ġthe"]


def test_llama3_adds_bos_and_the_file_overrules_it(metadata):
    assert pieces(metadata, "llama-bpe", "he", add_special_tokens=True) == ["<|endoftext|>", "he"]
    assert pieces(metadata, "gpt-2", "he", add_special_tokens=True) == ["he"]
    said = metadata | {"tokenizer.ggml.add_bos_token": True}
    assert pieces(said, "gpt-2", "he", add_special_tokens=True) == ["<|endoftext|>", "he"]


def test_qwen_composes_unicode(metadata):
    assert pieces(metadata, "qwen2", "e\u0301") == pieces(metadata, "gpt-2", "\u00e9")


def test_added_tokens_stay_whole_and_only_control_ones_are_special(metadata):
    assert pieces(metadata, "smollm", "<think>he<|endoftext|>") == [
        "<think>",
        "he",
        "<|endoftext|>",
    ]
    tokenizer = Tokenizer.from_gguf(metadata)
    assert tokenizer.decode(tokenizer.encode("<think>he<|endoftext|>")) == "<think>he"


def test_end_of_turn_tokens_stop_a_generation(metadata):
    turn = TOKENS.index("<think>")
    tokenizer = Tokenizer.from_gguf(metadata | {"tokenizer.ggml.eot_token_id": turn})
    assert tokenizer.stop_ids == {0, turn}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer.ggml.model": "t5"}, "tokenizer kind 't5' is not one of gpt2, llama"),
        ({"tokenizer.ggml.model": None}, "tokenizer kind None"),
        ({"tokenizer.ggml.pre": "tekken"}, "pre-tokenizer 'tekken' is not one of gpt-2"),
        ({"tokenizer.ggml.tokens": 5}, "'tokenizer.ggml.tokens' is not a list of strings"),
        ({"tokenizer.ggml.token_type": np.ones(3)}, "is not a list of 262 numbers"),
        ({"tokenizer.ggml.merges": ["he"]}, "the merge 'he' is not two tokens"),
        ({"tokenizer.ggml.merges": ["x zz"]}, "the vocabulary does not add up"),
        ({"tokenizer.ggml.eos_token_id": 999}, "eos_token_id is 999, but the vocabulary has 262"),
    ],
)
def test_a_vocabulary_that_does_not_add_up_is_refused(metadata, change, message):
    with pytest.raises(WeightsError) as caught:
        Tokenizer.from_gguf(metadata | change)
    assert message in str(caught.value)
