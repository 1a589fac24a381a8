"""A worker is killed in each moment of its work; the quick form of benchmarks.elastic.kills."""

import pytest

from benchmarks.elastic.kills import kills_in_a_step, kills_of_two
from raylm.testing.mortal_worker import Moment

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def kills(ray_cluster):
    return [*kills_in_a_step(3, 3), *kills_of_two(3, 3)]


def test_whenever_a_worker_is_killed_no_step_is_lost(kills):
    assert {kill.what for kill in kills} == {*Moment}
    assert sum(kill.steps_lost for kill in kills) == 0


def test_survivors_go_on_without_waiting_for_a_timeout(kills):
    assert max(kill.seconds for kill in kills) < 15  # a collective's is 60
