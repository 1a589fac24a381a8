import math

from hypothesis import given
from hypothesis import strategies as st

from raylm.checkpoint.retention import expired

STEPS = st.integers(0, 100)
LOSSES = st.dictionaries(STEPS, st.floats())


@given(st.sets(STEPS), st.integers(1, 5), STEPS)
def test_the_newest_and_the_latest_are_kept(steps, keep_last, latest):
    gone = set(expired(steps, keep_last=keep_last, latest=latest))
    reached = {step for step in steps if step <= latest}
    assert gone == reached - set(sorted(reached)[-keep_last:])
    assert latest not in gone


@given(st.sets(STEPS), st.integers(1, 3), st.integers(0, 3), LOSSES, STEPS)
def test_the_best_are_kept_too_and_nothing_else(steps, keep_last, keep_best, losses, latest):
    gone = expired(steps, keep_last=keep_last, keep_best=keep_best, losses=losses, latest=latest)
    assert gone == sorted(gone)
    kept = steps - set(gone)
    plain = steps - set(expired(steps, keep_last=keep_last, latest=latest))
    best = kept - plain
    assert plain <= kept
    assert len(best) <= keep_best
    assert not any(math.isnan(losses[step]) for step in best)
    measured = [step for step in gone if step in losses and not math.isnan(losses[step])]
    for lost in measured:
        better = [s for s in kept if s in losses and losses[s] <= losses[lost]]
        assert len(better) >= keep_best


def test_oldest_first():
    assert expired([30, 10, 20, 40], keep_last=2, latest=40) == [10, 20]


def test_what_a_rewound_run_has_not_reached_stays_until_it_does():
    assert expired([10, 20, 30, 40], keep_last=1, latest=20) == [10]
    assert expired([20, 30, 35, 40], keep_last=1, latest=35) == [20, 30]


def test_the_lowest_losses_stay():
    losses = {10: 2.0, 20: math.nan, 30: 1.0, 40: 3.0, 99: 0.0}
    steps = [10, 20, 30, 40, 50]
    assert expired(steps, keep_last=1, keep_best=1, losses=losses, latest=50) == [10, 20, 40]
    assert expired(steps, keep_last=1, keep_best=2, losses=losses, latest=50) == [20, 40]
    assert expired(steps, keep_last=1, keep_best=9, losses=losses, latest=50) == [20]


def test_of_equal_losses_the_newer_stays():
    losses = {10: 1.0, 20: 1.0}
    assert expired([10, 20, 30], keep_last=1, keep_best=1, losses=losses, latest=30) == [10]
