from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raylm.core.errors import DataError
from raylm.data.loader import Loader
from raylm.data.order import shard
from raylm.data.packing import IGNORED

LENGTH = 4


def stream(tokens):
    """Every token is different, so that a token names its place."""
    return np.arange(tokens, dtype=np.uint16)


def consume(loader, samples, passes=2):
    return list(loader.micro_batches(samples, passes))


def targets_of(batches):
    return Counter(int(t) for _, targets in batches for t in targets.flatten() if t != IGNORED)


@settings(max_examples=50)
@given(
    tokens=st.integers(2, 300),
    seed=st.integers(0, 2**32),
    worlds=st.lists(st.integers(1, 7), min_size=1, max_size=6),
)
def test_each_token_is_trained_on_exactly_once_a_pass_however_the_world_changes(
    tokens, seed, worlds
):
    """A run of global batches of 12, each on a world of another size, over one whole pass and
    a part of the next."""
    loader = Loader(stream(tokens), LENGTH, seed)
    one_pass = loader.packing.sequences
    position, step, seen = 0, 0, Counter()
    while position < one_pass:
        world = worlds[step % len(worlds)]
        samples = range(position, position + 12)
        for rank in range(world):
            share = shard(samples, rank, world)
            first_pass = range(share.start, max(share.start, min(share.stop, one_pass)))
            if first_pass:
                seen += targets_of(consume(loader, first_pass, passes=1))
        position, step = position + 12, step + 1
    assert seen == Counter(range(1, tokens))


def test_the_state_is_the_position_alone():
    def batches(first, last):
        return consume(Loader(stream(100), LENGTH, seed=3), range(first, last))

    whole = batches(0, 40)
    resumed = batches(0, 16) + batches(16, 40)
    for side in (0, 1):
        joined = [torch.cat([batch[side] for batch in parts]) for parts in (whole, resumed)]
        assert torch.equal(*joined)


def test_micro_batches_have_the_asked_shape_and_type():
    first, (inputs, targets) = consume(Loader(stream(100), LENGTH, 0), range(5), passes=2)
    assert inputs.shape == targets.shape == (3, LENGTH)
    assert inputs.dtype == targets.dtype == torch.int64
    assert first[0].shape == (2, LENGTH)


@pytest.mark.parametrize("tokens", [0, 1])
def test_nothing_to_train_on_is_an_error(tokens):
    with pytest.raises(DataError, match="no training data"):
        Loader(stream(tokens), LENGTH, 0)
