import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.text_diff import text_diff

TEXT = st.text(alphabet="ab \n.é\U0001f600", max_size=60)


def sides(spans: list[tuple[str, str]]) -> tuple[str, str]:
    old = "".join(text for kind, text in spans if kind != "insert")
    new = "".join(text for kind, text in spans if kind != "delete")
    return old, new


@given(TEXT, TEXT)
def test_the_spans_are_both_texts(old: str, new: str) -> None:
    spans = text_diff(old, new)
    assert sides(spans) == (old, new)
    assert all(text for _, text in spans)


def test_a_word_is_never_cut() -> None:
    assert text_diff("a walking man", "a talking man") == [
        ("equal", "a "),
        ("delete", "walking"),
        ("insert", "talking"),
        ("equal", " man"),
    ]


def words(seed: int) -> str:
    return "".join(random.Random(seed).choices("ab,. ", k=200_000))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (words(1), words(2)),
        ("a " * 100_000, "b " + "a " * 50_000 + "c " + "a " * 49_995),
        (" ".join(map(str, range(30_000))), " ".join(map(str, range(29_999, -1, -1)))),
    ],
    ids=["noise", "repeats", "reversed"],
)
def test_the_largest_documents_take_a_bounded_time(old: str, new: str) -> None:
    began = time.process_time()
    spans = text_diff(old, new)
    assert time.process_time() - began < 5
    assert sides(spans) == (old, new)
