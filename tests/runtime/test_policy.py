import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.core.schema import Elastic
from raylm.runtime.phase import TRANSITIONS, Phase, require
from raylm.runtime.policy import (
    MAX_FAILED_STARTS,
    Await,
    Dismiss,
    GiveUp,
    Proceed,
    Status,
    Suspicion,
    decide,
    grown,
    to_drop,
    to_start,
)

ELASTIC = Elastic(min=2, max=6)


def status(living, *, starting=0, ready=0, target=4, failed_starts=0, **more):
    return Status(living, starting, ready, target, failed_starts, **more)


def test_survivors_go_on_at_once():
    assert decide(status(3), ELASTIC) == Proceed(0)
    assert decide(status(2, starting=2), ELASTIC) == Proceed(0)


def test_who_is_ready_is_let_in_up_to_the_target():
    assert decide(status(3, ready=2), ELASTIC) == Proceed(1)
    assert decide(status(1, ready=1), ELASTIC) == Proceed(1)


def test_too_few_wait_for_replacements():
    assert decide(status(1, starting=3), ELASTIC) == Await(1)
    assert decide(status(1, failed_starts=MAX_FAILED_STARTS - 1), ELASTIC) == Await(1)


def test_nobody_waits_for_workers_that_keep_dying_at_their_start():
    gone = decide(status(1, failed_starts=MAX_FAILED_STARTS), ELASTIC)
    assert isinstance(gone, GiveUp)
    assert "5 workers in a row died at their start" in gone.reason
    assert to_start(status(1, failed_starts=MAX_FAILED_STARTS)) == 0
    assert decide(status(3, failed_starts=MAX_FAILED_STARTS), ELASTIC) == Proceed(0)


def test_without_a_survivor_there_is_nothing_to_go_on_from():
    assert decide(status(0, ready=4), ELASTIC) == GiveUp("no worker is left", is_lost=True)


def test_too_many_go():
    assert decide(status(6, target=4), ELASTIC) == Dismiss((4, 5))


def test_who_is_leaving_is_let_go_as_soon_as_enough_stay():
    assert decide(status(4, leaving=(1,)), ELASTIC) == Dismiss((1,))
    assert decide(status(2, leaving=(1,)), ELASTIC) == Proceed(0)
    assert decide(status(2, leaving=(1,), ready=1), ELASTIC) == Dismiss((1,))
    assert decide(status(1, leaving=(0,), target=1), Elastic()) == Proceed(0)
    assert to_start(status(4, leaving=(1,))) == 1


def test_where_all_are_leaving_others_are_let_in_first():
    assert decide(status(2, leaving=(0, 1), ready=2, target=2), ELASTIC) == Proceed(2)
    assert decide(status(4, leaving=(0, 1), target=2), ELASTIC) == Dismiss((0, 1))
    assert decide(status(1, leaving=(0,), ready=1, target=1), Elastic()) == Proceed(1)


def test_who_is_not_wanted_any_more_is_not_waited_for():
    assert to_drop(status(2, starting=2, target=2)) == 2
    assert to_drop(status(2, ready=1, starting=2, target=4)) == 1
    assert to_drop(status(2, leaving=(0,), ready=1, target=2)) == 0
    assert to_drop(status(5, target=2)) == 0


def test_who_is_slow_is_let_go_when_another_is_ready():
    assert decide(status(4, slow=(2,)), ELASTIC) == Proceed(0)
    assert to_start(status(4, slow=(2,))) == 1
    assert decide(status(4, slow=(2,), ready=1), ELASTIC) == Dismiss((2,))
    assert decide(status(4, slow=(1, 2), ready=1), ELASTIC) == Dismiss((1,))


def test_a_step_that_kills_is_not_done_by_the_last_who_has_the_state():
    assert decide(status(1, is_suspect=True), Elastic()) == Await(1)
    assert decide(status(2, is_suspect=True), Elastic()) == Proceed(0)
    assert decide(status(1, is_suspect=True, target=1), Elastic()) == Proceed(0)


def test_a_step_is_suspected_for_certain_when_it_has_killed_three_times_in_a_row():
    assert not Suspicion().struck(7, 0, 3).is_of(7)
    suspicion = Suspicion().struck(7, 0, 3).struck(7, 1, 2)
    assert suspicion.is_of(7)
    assert not suspicion.is_of(8)
    assert not suspicion.is_certain
    assert suspicion.struck(7, 0, 2).victims == ((0, 3), (1, 2), (0, 2))
    assert suspicion.struck(7, 0, 2).is_certain
    assert suspicion.struck(8, 0, 2).victims == ((0, 2),)


def test_the_target_grows_with_the_nodes_up_to_the_largest_size():
    each = {"CPU": 2.0}
    assert grown(2, ELASTIC, {"CPU": 5.0}, each) == 4
    assert grown(2, ELASTIC, {"CPU": 64.0}, each) == 6
    assert grown(2, ELASTIC, {}, each) == 2
    assert grown(2, Elastic(), {"CPU": 64.0}, each) == 2
    assert grown(2, ELASTIC, {"CPU": 64.0}, {"CPU": 2.0, "GPU": 1.0}) == 2


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(2, 6))
def test_no_more_are_asked_for_than_are_missing(living, starting, ready, target):
    count = to_start(status(living, starting=starting, ready=ready, target=target))
    assert count >= 0
    assert count == 0 or living + starting + ready + count == target


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 9), st.integers(2, 6))
def test_whoever_proceeds_is_within_the_limits(living, starting, ready, target):
    decision = decide(status(living, starting=starting, ready=ready, target=target), ELASTIC)
    if isinstance(decision, Proceed):
        assert ELASTIC.min <= living + decision.admit <= target
    if isinstance(decision, Dismiss):
        assert living - len(decision.ranks) == target


def test_phases_follow_the_table():
    assert require(Phase.RUNNING, Phase.RECOVERING) is Phase.RECOVERING
    with pytest.raises(ValueError, match="that is closed cannot become running"):
        require(Phase.CLOSED, Phase.RUNNING)
    assert set(TRANSITIONS) == set(Phase)
    reached = {Phase.STARTING}
    while (more := reached.union(*(TRANSITIONS[phase] for phase in reached))) != reached:
        reached = more
    assert reached == set(Phase)
