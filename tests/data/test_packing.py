from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.data.packing import IGNORED, Packing, concatenate

STREAMS = st.lists(st.integers(0, 9), max_size=60)


@given(STREAMS, st.integers(1, 16))
def test_every_token_but_the_first_is_predicted_exactly_once(tokens, length):
    stream = np.array(tokens, np.uint16)
    packing = Packing(len(stream), length)
    cuts = [packing.cut(stream, i) for i in range(packing.sequences)]
    predicted = [int(t) for _, targets in cuts for t in targets if t != IGNORED]
    assert predicted == tokens[1:]
    assert len(predicted) == packing.targets
    assert all(len(inputs) == len(targets) == length for inputs, targets in cuts)


@given(STREAMS, st.integers(1, 16))
def test_each_target_is_the_token_after_its_input(tokens, length):
    stream = np.array(tokens, np.uint16)
    packing = Packing(len(stream), length)
    for i in range(packing.sequences):
        inputs, targets = packing.cut(stream, i)
        for place, position in enumerate(packing.span(i)):
            assert inputs[place] == tokens[position]
            assert targets[place] == tokens[position + 1]
        assert (targets[len(packing.span(i)) :] == IGNORED).all()


def test_a_sequence_that_is_not_there_is_an_error():
    packing = Packing(10, 4)
    assert packing.sequences == 3
    with pytest.raises(IndexError, match="sequence 3 of 3"):
        packing.span(3)


@given(st.lists(st.lists(st.integers(1, 9)), max_size=8))
def test_documents_keep_every_token_and_gain_one_end(documents):
    ended = list(concatenate(documents, end=0))
    assert [d[:-1] for d in ended] == documents
    assert Counter(t for d in ended for t in d)[0] == len(documents)
    assert list(concatenate(documents, end=None)) == documents
