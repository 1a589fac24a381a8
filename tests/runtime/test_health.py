from hypothesis import given
from hypothesis import strategies as st

from raylm.runtime.health import SLOW, slow

SECONDS = st.floats(0.001, 100)


def test_who_takes_three_times_as_long_as_the_others_is_slow():
    assert slow({0: 1.0, 1: 1.1, 2: 3.2}) == [2]
    assert slow({0: 1.0, 1: 3.1}) == [1]
    assert slow({0: 1.0, 1: 2.0, 2: 1.5}) == []


def test_nobody_is_slow_without_others():
    assert slow({}) == slow({3: 9.0}) == []


@given(st.dictionaries(st.integers(0, 9), SECONDS))
def test_less_than_half_are_slow(own_work_s):
    found = slow(own_work_s)
    assert len(found) <= len(own_work_s) / 2
    for rank in found:
        assert own_work_s[rank] > SLOW * min(own_work_s.values())
