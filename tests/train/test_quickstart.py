"""The recipe a newcomer runs first, held to what it promises on text it was not tuned on alone."""

import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.train.quickstart import CONFIG, compare
from benchmarks.train.trigram import Trigram
from raylm.core.schema import ModelDims, TrainConfig
from raylm.models.spec import ModelSpec


def test_the_recipe_is_what_it_says_it_is():
    config = TrainConfig.load(CONFIG)
    assert config.workers == 2
    assert config.data.path == "stdlib"
    assert isinstance(config.model, ModelDims)
    vocab_size = config.data.tokenizer.vocab_size
    spec = ModelSpec.from_dims(config.model, vocab_size, config.data.sequence_length)
    assert 5e6 <= spec.num_parameters <= 10e6


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(900)
def test_five_minutes_beat_a_trigram_model(tmp_path):
    """The time is the machine's: on a busy one only what was learnt is held to the promise."""
    data = os.environ.get("RAYLM_TEST_DATA")
    if not data:
        pytest.skip("RAYLM_TEST_DATA does not name the folder with tinyshakespeare.txt")
    text = Path(data) / "tinyshakespeare.txt"
    result = compare(TrainConfig.load(CONFIG, [f"data.path={text}"]), tmp_path / "run")
    print(result)
    assert result.fall >= 0.45
    assert result.bits_per_byte < result.trigram_bits_per_byte
    if os.getloadavg()[2] < 1.5 * (os.cpu_count() or 1):
        assert result.seconds <= 300


def brute_force(tokens, vocab_size, weights, text):
    """The trigram's formula word by word, with counts in dictionaries."""
    counts = [Counter(zip(*(tokens[i:] for i in range(n)), strict=False)) for n in (1, 2, 3)]
    histories = [Counter(zip(*(tokens[i:-1] for i in range(n)), strict=False)) for n in (1, 2)]
    total = 0.0
    for a, b, c in zip(text, text[1:], text[2:], strict=False):
        parts = [
            1 / vocab_size,
            counts[0][(c,)] / len(tokens),
            counts[1][(b, c)] / (histories[0][(b,)] or 1),
            counts[2][(a, b, c)] / (histories[1][(a, b)] or 1),
        ]
        total -= math.log(sum(w * p for w, p in zip(weights, parts, strict=True)))
    return total / (len(text) - 2)


def test_the_trigram_is_its_formula():
    generator = np.random.default_rng(0)
    tokens = generator.zipf(1.6, 500).clip(max=8) - 1
    text = generator.zipf(1.6, 100).clip(max=9) - 1
    trigram = Trigram.fit(tokens, vocab_size=9)
    assert trigram.weights.sum() == pytest.approx(1.0)
    expected = brute_force(tokens.tolist(), 9, trigram.weights, text.tolist())
    assert trigram.loss(text) == pytest.approx(expected)


def test_the_weights_are_fitted():
    """A text that repeats with period five is known from two tokens of history."""
    tokens = np.tile([0, 1, 0, 2, 3], 400)
    trigram = Trigram.fit(tokens, vocab_size=4)
    assert trigram.weights[3] > 0.9
    assert trigram.loss(tokens) < 0.05
