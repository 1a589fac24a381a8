"""A budget in one of its windows, for one of those whom it is for."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from raylm_apps.gateway.budgets.window import Window, window_of
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store.budgets import LIMITS, Budget
from raylm_apps.gateway.store.ledger import Payer

# While answers are being written, what they will not use comes back soon.
SOON_S = 5.0
WHOSE = {
    "everyone": "of all users together",
    "each": "of every user",
    "user": "of your account",
    "key": "of this API key",
    "team": "of your team",
}
WHEN = {"hour": "this hour's", "day": "today's", "month": "this month's", "total": "the"}


@dataclass(frozen=True)
class Amount:
    """In the order of a budget's limits."""

    requests: int = 0
    tokens: int = 0
    micros: int = 0

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.requests, self.tokens, self.micros


@dataclass(frozen=True)
class Counter:
    budget: Budget
    scope_id: str
    window: Window

    @cached_property
    def key(self) -> str:
        first = self.window.first
        return f"budget:{self.budget.id}:{self.scope_id}:{first.timestamp():.0f}"

    def left(self, used: Amount) -> dict[str, int | None]:
        return {
            name: None if most is None else max(most - count, 0)
            for name, most, count in zip(LIMITS, self.budget.limits, used.counts, strict=True)
        }

    def refusal(
        self, kind: int, used: int, needed: int, open_count: int, now: datetime
    ) -> ApiError:
        """`kind` is the place of the limit that is reached."""
        budget, most = self.budget, self.budget.limits[kind]
        assert most is not None
        name = f"{WHEN[budget.period]} budget {WHOSE[budget.subject]}"
        if budget.model is not None:
            name += f" for {budget.model}"
        left = f"{_written(kind, max(most - used, 0))} of {_written(kind, most)} left"
        anew = (
            "it does not start anew"
            if self.window.is_endless
            else f"it starts anew at {self.window.end:%Y-%m-%dT%H:%MZ}"
        )
        wait_s = self.window.left_s(now)
        if open_count and needed <= most:
            wait_s = min(SOON_S, wait_s or SOON_S)
        cause = f"{name}: {left}, an answer may need {_written(kind, needed)}; {anew}"
        return ApiError("rate_limit:budget", cause, retry_after_s=wait_s)


def counter_of(budget: Budget, payer: Payer, now: datetime) -> Counter:
    """For a payer whom the budget is for."""
    scope = payer.user_id if budget.subject == "each" else budget.subject_id or ""
    return Counter(budget, scope, window_of(budget.period, now))


def is_for(budget: Budget, payer: Payer, model: str) -> bool:
    if budget.model not in (None, model):
        return False
    match budget.subject:
        case "everyone" | "each":
            return True
        case "user":
            return budget.subject_id == payer.user_id
        case "key":
            return budget.subject_id == payer.key_id
        case "team":
            return budget.subject_id == payer.team_id


def _written(kind: int, count: int) -> str:
    match LIMITS[kind]:
        case "micros":
            return f"${count / 1e6:,.6f}".rstrip("0").rstrip(".")
        case name:
            return f"{count:,} {name}"
