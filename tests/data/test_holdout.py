import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.errors import DataError
from raylm.data.holdout import Holdout


@given(st.sets(st.text(), min_size=2, max_size=40), st.floats(0.001, 0.49))
def test_both_sides_always_have_a_document(documents, share):
    holdout = Holdout.choose(documents, share)
    assert 0 < sum(document in holdout for document in documents) < len(documents)


def test_about_the_asked_share_is_held_out():
    documents = [f"document {i}" for i in range(5000)]
    holdout = Holdout.choose(documents, 0.1)
    held = sum(document in holdout for document in documents)
    assert 400 < held < 600


def test_the_side_is_a_property_of_the_text():
    few, many = ["a", "b"] * 3, [f"document {i}" for i in range(1000)]
    first, second = Holdout.choose(many, 0.2), Holdout.choose(many[::-1] + many, 0.2)
    assert first == second
    assert Holdout.choose(few, 0.1) == Holdout.choose(["b", "a"], 0.1)


@pytest.mark.parametrize("documents", [[], ["one"], ["one", "one"]])
def test_too_few_documents_are_refused(documents):
    with pytest.raises(DataError, match="different documents cannot be split"):
        Holdout.choose(documents, 0.1)
