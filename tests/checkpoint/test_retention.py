from hypothesis import given
from hypothesis import strategies as st

from raylm.checkpoint.retention import expired


@given(st.sets(st.integers(0, 100)), st.integers(1, 5), st.none() | st.integers(0, 100))
def test_the_newest_and_the_latest_are_kept(steps, keep_last, latest):
    gone = set(expired(steps, keep_last=keep_last, latest=latest))
    kept = steps - gone
    assert gone <= steps
    assert set(sorted(steps)[-keep_last:]) <= kept
    assert latest not in gone
    assert len(kept) <= keep_last + 1


def test_oldest_first():
    assert expired([30, 10, 20, 40], keep_last=2, latest=40) == [10, 20]
    assert expired([10, 20, 30], keep_last=1, latest=10) == [20]
