"""Whether a model is left alone for having failed: pure, a value after another.

closed -> open, after too many failures in a window, or as long as the provider has said
open -> half-open, when that time is over: one request may try
half-open -> closed, if that one succeeds; open again, if it fails
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from raylm.core.wire.failure import Failure

WINDOW_S = 60.0
PROBE_S = 60.0  # after which a probe of which nothing was heard counts as lost
LONGEST_S = 3_600.0  # whatever a provider says
MOST_FAILS = 1_000
# What is wrong with the question is nothing against the model.
COUNTED = frozenset(Failure) - {Failure.REQUEST, Failure.TOO_LONG, Failure.POLICY}


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True)
class Tolerance:
    allowed_fails: int = 3
    """In a window; one more opens the circuit."""
    cooldown_s: float = 60.0


# What a model does that is asked by its own name counts for the groups that have it; they decide.
ENDLESS = Tolerance(allowed_fails=MOST_FAILS)


@dataclass(frozen=True)
class Circuit:
    """Times are those of whichever clock gives `now`."""

    fails: tuple[float, ...] = ()
    open_until: float | None = None
    probe_until: float = float("-inf")

    def state(self, now: float) -> State:
        if self.open_until is None:
            return State.CLOSED
        return State.OPEN if now < self.open_until else State.HALF_OPEN

    def may_ask(self, now: float) -> bool:
        match self.state(now):
            case State.CLOSED:
                return True
            case State.OPEN:
                return False
            case State.HALF_OPEN:
                return now >= self.probe_until

    def probed(self, now: float) -> "Circuit":
        """One has gone to try."""
        return replace(self, probe_until=now + PROBE_S)

    def released(self) -> "Circuit":
        """It has come back without news."""
        return replace(self, probe_until=float("-inf"))

    def failed(
        self, now: float, tolerance: Tolerance, retry_after_s: float | None = None
    ) -> "Circuit":
        state = self.state(now)
        if retry_after_s:
            return self.opened(now + min(retry_after_s, LONGEST_S))
        if state is State.OPEN:
            return self  # begun before, and no news
        fails = (*(at for at in self.fails if at > now - WINDOW_S), now)
        if state is State.HALF_OPEN or len(fails) > tolerance.allowed_fails:
            return self.opened(now + tolerance.cooldown_s)
        return Circuit(fails[-MOST_FAILS:])

    def succeeded(self, now: float) -> "Circuit":
        """An answer has begun; one that was asked for before the circuit opened closes nothing."""
        return Circuit() if self.state(now) is State.HALF_OPEN else self

    def opened(self, until: float) -> "Circuit":
        return Circuit(open_until=max(until, self.open_until or until))
