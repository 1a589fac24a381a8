"""The times that budgets are for, by UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from raylm_apps.gateway.store.budgets import Period

EVER = datetime.max.replace(tzinfo=UTC, microsecond=0)
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Window:
    """From `first` up to `end`, which is the next one's first moment."""

    first: datetime
    end: datetime

    @property
    def is_endless(self) -> bool:
        return self.end == EVER

    def left_s(self, now: datetime) -> float | None:
        return None if self.is_endless else max((self.end - now).total_seconds(), 0.0)


def hour_of(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def window_of(period: Period, now: datetime) -> Window:
    """The one that `now` is in."""
    return _of_hour(period, hour_of(now))


@lru_cache(maxsize=64)
def _of_hour(period: Period, hour: datetime) -> Window:
    match period:
        case "hour":
            return Window(hour, hour + timedelta(hours=1))
        case "day":
            day = hour.replace(hour=0)
            return Window(day, day + timedelta(days=1))
        case "month":
            month = hour.replace(day=1, hour=0)
            return Window(month, (month + timedelta(days=31)).replace(day=1))
        case "total":
            return Window(FIRST, EVER)
