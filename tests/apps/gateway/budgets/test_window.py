from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raylm_apps.gateway.budgets.window import hour_of, window_of
from raylm_apps.gateway.store.budgets import Period

instants = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
PERIODS: tuple[Period, ...] = ("hour", "day", "month", "total")
ROLLING: tuple[Period, ...] = ("hour", "day", "month")


@given(instants, st.sampled_from(PERIODS))
def test_a_moment_is_in_its_window(now: datetime, period: Period) -> None:
    window = window_of(period, now)
    assert window.first <= now < window.end
    assert window_of(period, window.first) == window


@given(instants, st.sampled_from(ROLLING))
def test_windows_follow_each_other_without_a_gap(now: datetime, period: Period) -> None:
    window = window_of(period, now)
    before = window_of(period, window.end - timedelta(microseconds=1))
    after = window_of(period, window.end)
    assert before == window
    assert after.first == window.end


@given(instants, st.sampled_from(PERIODS))
def test_an_hour_is_in_one_window(now: datetime, period: Period) -> None:
    """The ledger is kept by the hour."""
    assert window_of(period, hour_of(now)) == window_of(period, now)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-31T23:59:59", "2026-02-01"),
        ("2024-02-29T00:00", "2024-03-01"),
        ("2026-12-31T23:59:59.999999", "2027-01-01"),
        ("2026-12-01T00:00", "2027-01-01"),
    ],
)
def test_months_end(now: str, end: str) -> None:
    window = window_of("month", datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert window.end == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_days_are_those_of_utc() -> None:
    elsewhere = datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert window_of("day", elsewhere).first == datetime(2026, 2, 28, tzinfo=UTC)
    assert window_of("month", elsewhere).first == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_whole_of_time_does_not_end() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert window_of("total", now).left_s(now) is None
    assert window_of("hour", now).left_s(now) == 3600
