import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.schema import ScheduleConfig
from raylm.train.schedule import learning_rate

NAMES = ["constant", "cosine", "linear", "wsd"]


def rates(name, steps=100, warmup=10, final=0.1, peak=2.0, **further):
    schedule = ScheduleConfig(name=name, warmup_steps=warmup, final_fraction=final, **further)
    return [learning_rate(schedule, peak, step, steps) for step in range(1, steps + 1)]


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_is_linear_to_the_peak(name):
    warm = rates(name)[:10]
    assert warm == [2.0 * step / 10 for step in range(1, 11)]


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_starts_from_the_initial_fraction(name):
    warm = rates(name, initial_fraction=0.25)[:10]
    assert warm == pytest.approx([0.5 + 0.15 * step for step in range(1, 11)])


def test_the_ends_and_the_middle():
    assert rates("constant")[10:] == [2.0] * 90
    assert rates("linear")[-1] == pytest.approx(0.2)
    assert rates("cosine")[-1] == pytest.approx(0.2)
    assert rates("linear")[54] == pytest.approx(1.1)
    assert rates("cosine")[54] == pytest.approx(1.1)
    assert rates("cosine")[32] > rates("linear")[32]


def test_wsd_is_stable_and_then_falls_linearly_over_the_last_part():
    found = rates("wsd", decay_fraction=0.2)
    assert found[10:80] == [2.0] * 70
    assert found[80:] == pytest.approx([2.0 - 0.09 * step for step in range(1, 21)])
    assert rates("wsd", decay_fraction=0.0)[10:] == [2.0] * 90


def test_wsd_decays_from_the_end_of_a_warm_up_that_is_longer_than_the_stable_part():
    found = rates("wsd", warmup=90, decay_fraction=0.5)
    assert found[:90] == pytest.approx([step / 45 for step in range(1, 91)])
    assert found[90:] == pytest.approx([2.0 - 0.18 * step for step in range(1, 11)])


@pytest.mark.parametrize(("warmup", "rise"), [(0, 30), (40, 40)])
def test_one_cycle_is_two_half_cosines(warmup, rise):
    found = rates("one_cycle", warmup=warmup, final=0.1, initial_fraction=0.04)
    up = [1.0 - 0.96 * 0.5 * (1 + math.cos(math.pi * i / rise)) for i in range(1, rise + 1)]
    fall = 100 - rise
    down = [0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * i / fall)) for i in range(1, fall + 1)]
    assert found == pytest.approx([2.0 * rate for rate in up + down])
    assert found[rise - 1] == 2.0
    assert found == pytest.approx(sorted(found[:rise]) + sorted(found[rise:], reverse=True))


@pytest.mark.parametrize("name", [*NAMES, "one_cycle"])
def test_one_step_is_enough(name):
    assert rates(name, steps=1, warmup=0)[0] == pytest.approx(2.0 if name == "constant" else 0.2)


@given(
    st.sampled_from(NAMES),
    st.integers(1, 60),
    st.integers(0, 80),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_rates_stay_within_bounds_and_only_fall_after_the_warm_up(
    name, steps, warmup, final, initial, decay
):
    found = rates(name, steps, warmup, final, initial_fraction=initial, decay_fraction=decay)
    assert all(0 < rate <= 2.0 + 1e-9 or rate == pytest.approx(2.0 * final) for rate in found)
    rise, after = found[:warmup], found[warmup:]
    assert rise == sorted(rise)
    assert after == sorted(after, reverse=True)


@given(st.integers(1, 60), st.integers(0, 80), st.floats(0, 1), st.floats(0, 1))
def test_one_cycle_rises_and_then_falls_within_bounds(steps, warmup, final, initial):
    found = rates("one_cycle", steps, warmup, final, initial_fraction=initial)
    low = 2.0 * min(final, initial)
    assert all(low - 1e-9 <= rate <= 2.0 + 1e-9 for rate in found)
    rise = warmup or round(0.3 * steps)
    assert found[:rise] == pytest.approx(sorted(found[:rise]))
    assert found[rise:] == pytest.approx(sorted(found[rise:], reverse=True))


def test_past_the_last_step_the_rate_stays_final():
    for name in ("cosine", "linear", "wsd", "one_cycle"):
        schedule = ScheduleConfig(name=name, final_fraction=0.1)
        assert learning_rate(schedule, 2.0, 120, 100) == pytest.approx(0.2)
