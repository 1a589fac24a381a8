import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm.infer.scheduling.admission import QueueLimits, retry_after_s

LIMITS = QueueLimits(max_running=2, max_waiting=3, max_waiting_per_user=2)


@pytest.mark.parametrize(("unfinished", "of_user"), [(0, 0), (4, 1), (3, 3)])
def test_who_finds_a_place_may_queue(unfinished: int, of_user: int) -> None:
    assert LIMITS.reason_to_refuse(unfinished=unfinished, waiting_of_user=of_user) is None


@pytest.mark.parametrize("unfinished", [5, 9])
def test_a_full_queue_refuses_everybody(unfinished: int) -> None:
    reason = LIMITS.reason_to_refuse(unfinished=unfinished, waiting_of_user=0)
    assert reason is not None
    assert reason.startswith("5 sequences are running or queued")


def test_a_user_with_a_full_queue_of_his_own_is_refused() -> None:
    reason = LIMITS.reason_to_refuse(unfinished=4, waiting_of_user=2)
    assert reason is not None
    assert "you have 2 sequences queued, and max_waiting_per_user allows 2" in reason
    unlimited = QueueLimits(max_running=2, max_waiting=3)
    assert unlimited.reason_to_refuse(unfinished=4, waiting_of_user=2) is None


@pytest.mark.parametrize(
    ("waiting", "completed_s", "seconds"),
    [
        (100, [91.0, 93.5, 95.0, 99.0], 56.25),  # four in nine seconds
        (100, [0.0, 1.0, 98.0], 50.0),  # what is older than a minute says nothing
        (2, [99.0], 1.0),
        (10_000, [90.0], 60.0),
        (100, [], 1.0),
        (100, [3.0], 1.0),
    ],
)
def test_the_wait_is_the_time_a_quarter_of_the_queue_takes(
    waiting: int, completed_s: list[float], seconds: float
) -> None:
    assert retry_after_s(waiting, completed_s, now_s=100.0) == pytest.approx(seconds)


@given(st.integers(0, 10**6), st.lists(st.floats(0, 1e6), max_size=50), st.floats(1e6, 1e6 + 1e3))
def test_the_wait_lies_between_a_second_and_a_minute(
    waiting: int, completed_s: list[float], now_s: float
) -> None:
    seconds = retry_after_s(waiting, completed_s, now_s)
    assert 1 <= seconds <= 60
    assert retry_after_s(waiting + 1, completed_s, now_s) >= seconds
