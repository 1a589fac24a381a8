import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.schema import ScheduleConfig
from raylm.train.schedule import learning_rate

NAMES = ["constant", "cosine", "linear"]


def rates(name, steps=100, warmup=10, final=0.1, peak=2.0):
    schedule = ScheduleConfig(name=name, warmup_steps=warmup, final_fraction=final)
    return [learning_rate(schedule, peak, step, steps) for step in range(1, steps + 1)]


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_is_linear_to_the_peak(name):
    warm = rates(name)[:10]
    assert warm == pytest.approx([0.2 * i for i in range(1, 11)])


def test_the_ends_and_the_middle():
    assert rates("constant")[10:] == [2.0] * 90
    assert rates("linear")[-1] == pytest.approx(0.2)
    assert rates("cosine")[-1] == pytest.approx(0.2)
    assert rates("linear")[54] == pytest.approx(1.1)
    assert rates("cosine")[54] == pytest.approx(1.1)
    assert rates("cosine")[32] > rates("linear")[32]


@given(
    st.sampled_from(NAMES),
    st.integers(1, 60),
    st.integers(0, 80),
    st.floats(0, 1),
)
def test_rates_stay_within_bounds_and_only_fall_after_the_warm_up(name, steps, warmup, final):
    found = rates(name, steps, warmup, final)
    assert all(0 < rate <= 2.0 + 1e-9 or rate == pytest.approx(2.0 * final) for rate in found)
    after = found[warmup:]
    assert after == sorted(after, reverse=True)
