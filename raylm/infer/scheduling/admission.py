"""Who may still queue, and when the refused should come back: functions of counts and times."""

from collections.abc import Sequence
from dataclasses import dataclass

# Who comes back then should find a place, and the engine should not have run dry meanwhile.
_SERVED_SHARE = 0.25
_LEAST_S, _MOST_S = 1.0, 60.0


@dataclass(frozen=True, slots=True)
class QueueLimits:
    max_running: int
    max_waiting: int
    max_waiting_per_user: int | None = None  # None: `max_waiting` alone counts

    def reason_to_refuse(self, *, unfinished: int, waiting_of_user: int) -> str | None:
        """`unfinished` sequences run or wait, `waiting_of_user` of who asks do not run yet."""
        capacity = self.max_running + self.max_waiting
        if unfinished >= capacity:
            return (
                f"{capacity} sequences are running or queued, the most that max_running and "
                "max_waiting allow; try again later"
            )
        most = self.max_waiting_per_user
        # Who does not run yet, though there are places, is about to.
        queued = min(waiting_of_user, unfinished - self.max_running)
        if most is not None and queued >= most:
            return (
                f"you have {queued} sequences queued, and max_waiting_per_user allows {most}; "
                "try again later"
            )
        return None


def retry_after_s(waiting: int, completed_s: Sequence[float], now_s: float) -> float:
    """In how many seconds a quarter of those that wait will be served at the last minute's rate.

    `completed_s` are the times of the latest completions, by the same clock as `now_s`.
    """
    recent_s = [time_s for time_s in completed_s if now_s - time_s < _MOST_S]
    if not recent_s:
        return _LEAST_S
    per_completion_s = (now_s - min(recent_s)) / len(recent_s)
    return min(max(waiting * _SERVED_SHARE * per_completion_s, _LEAST_S), _MOST_S)
