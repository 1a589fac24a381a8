"""The sequences are those that DeepSpeed's test_dynamic_loss_scale.py asserts of its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.schema import LossScaleConfig
from raylm.parallel.loss_scale import LossScale


def scales(loss_scale, overflows):
    """The scale after each step; `x` overflows, `.` does not."""
    found = []
    for step in overflows:
        loss_scale.update(step == "x")
        found.append(loss_scale.scale)
    return found


def dynamic(**config):
    return LossScale(LossScaleConfig(**config))


def test_no_overflow_doubles_after_every_window():
    loss_scale = dynamic(initial_power=8, window=2)
    assert loss_scale.scale == 256.0
    assert scales(loss_scale, "." * 10) == [256, 256, 512, 512, 1024, 1024, 2048, 2048, 4096, 4096]


def test_a_window_of_one_doubles_at_each_step_but_the_first():
    assert scales(dynamic(initial_power=0, window=1), "....") == [1, 2, 4, 8]


def test_only_overflows_halve_down_to_the_minimum():
    loss_scale = dynamic(initial_power=4, window=2, hysteresis=1)
    assert scales(loss_scale, "x" * 8) == [8, 4, 2, 1, 1, 1, 1, 1]
    loss_scale = dynamic(initial_power=4, window=2, hysteresis=1, minimum=3.0)
    assert scales(loss_scale, "x" * 4) == [8, 4, 3, 3]
    assert dynamic(initial_power=0, minimum=4.0).scale == 4.0


def test_some_overflows():
    loss_scale = dynamic(initial_power=8, window=2, hysteresis=1)
    assert scales(loss_scale, "xx...x") == [128, 64, 64, 64, 128, 64]


def test_an_overflow_begins_the_window_anew():
    loss_scale = dynamic(initial_power=8, window=3, hysteresis=1)
    assert scales(loss_scale, "...x....") == [256, 256, 256, 128, 128, 128, 128, 256]


def test_hysteresis_forgives_the_first_overflows_only():
    loss_scale = dynamic(initial_power=8, hysteresis=3)
    assert scales(loss_scale, "xxxx") == [256, 256, 128, 64]


def test_good_steps_between_overflows_do_not_restore_the_hysteresis():
    loss_scale = dynamic(initial_power=8, window=100, hysteresis=3)
    assert scales(loss_scale, "x.x.x.x.") == [256, 256, 256, 256, 128, 128, 64, 64]


def test_a_doubling_restores_the_hysteresis():
    loss_scale = dynamic(initial_power=8, window=2, hysteresis=2)
    assert scales(loss_scale, "xx...xx") == [256, 128, 128, 128, 256, 256, 128]


@given(st.integers(0, 32), st.integers(0, 32), st.integers(1, 6))
def test_finding_a_stable_scale_costs_the_steps_that_it_must(first, stable, hysteresis):
    """(s0 - s) + (hysteresis - 1) steps are skipped from 2^s0 down to a stable 2^s."""
    loss_scale = dynamic(initial_power=max(first, stable), hysteresis=hysteresis)
    skipped = 0
    while loss_scale.scale > 2.0**stable:
        loss_scale.update(True)
        skipped += 1
    descent = max(first, stable) - stable
    assert skipped == (descent + hysteresis - 1 if descent else 0)


def test_a_static_scale_never_moves():
    loss_scale = dynamic(static=96.0, window=1, hysteresis=1)
    assert scales(loss_scale, "xx..x...") == [96.0] * 8
    assert not loss_scale.dynamic


def test_none_is_always_one():
    assert scales(LossScale.none(), "x..x") == [1.0] * 4


@given(st.text("x.", max_size=30), st.text("x.", max_size=30))
def test_the_state_goes_on_where_it_was(before, after):
    config = {"initial_power": 8, "window": 2, "hysteresis": 2}
    whole, stopped, resumed = (dynamic(**config) for _ in range(3))
    expected = scales(whole, before + after)[len(before) :]
    scales(stopped, before)
    resumed.load(stopped.state())
    assert resumed.state() == stopped.state()
    assert scales(resumed, after) == expected


def test_a_static_scale_is_the_configured_one_after_a_load():
    loss_scale = dynamic(static=96.0)
    loss_scale.load(dynamic(initial_power=8).state())
    assert loss_scale.scale == 96.0


def test_a_foreign_state_is_not_taken():
    with pytest.raises(KeyError, match="good_steps"):
        dynamic().load({"scale": 1.0, "forgiven_left": 1})
