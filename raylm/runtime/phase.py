"""The life of a worker group as a table of legal transitions (pure)."""

from collections.abc import Mapping
from enum import Enum


class Phase(Enum):
    STARTING = "starting"
    FORMING = "forming"
    RUNNING = "running"
    RECOVERING = "recovering"
    FAILED = "failed"
    CLOSED = "closed"


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.STARTING: frozenset({Phase.FORMING, Phase.RECOVERING, Phase.FAILED, Phase.CLOSED}),
    Phase.FORMING: frozenset({Phase.RUNNING, Phase.RECOVERING, Phase.FAILED, Phase.CLOSED}),
    Phase.RUNNING: frozenset({Phase.FORMING, Phase.RECOVERING, Phase.FAILED, Phase.CLOSED}),
    Phase.RECOVERING: frozenset({Phase.FORMING, Phase.FAILED, Phase.CLOSED}),
    Phase.FAILED: frozenset({Phase.CLOSED}),
    Phase.CLOSED: frozenset(),
}


def require(now: Phase, then: Phase) -> Phase:
    """`then`, if a group may go there from `now`. Raises ValueError otherwise."""
    if then not in TRANSITIONS[now]:
        raise ValueError(f"a worker group that is {now.value} cannot become {then.value}")
    return then
