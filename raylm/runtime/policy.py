"""What to do when workers are lost, ready or too many: values in, a decision out (pure)."""

from dataclasses import dataclass

from raylm.core.schema import Elastic

MAX_FAILED_STARTS = 5  # in a row: something is wrong with the worker, not with a machine


@dataclass(frozen=True, slots=True)
class Status:
    """Workers of the group that live, that were started but have not answered, that have and wait
    to be let in; and how many shall work (`target`)."""

    living: int
    starting: int
    ready: int
    target: int
    failed_starts: int = 0


@dataclass(frozen=True, slots=True)
class Proceed:
    """Go on with those that live; `admit` of the ready ones join them."""

    admit: int = 0


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let the last `count` ranks go."""

    count: int


@dataclass(frozen=True, slots=True)
class Await:
    """Too few to go on: wait until `count` more are ready."""

    count: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


Decision = Proceed | Dismiss | Await | GiveUp


def decide(status: Status, elastic: Elastic) -> Decision:
    """At a boundary between steps, planned or forced by a loss."""
    if status.living == 0:
        return GiveUp("no worker is left")
    if status.living > status.target:
        return Dismiss(status.living - status.target)
    admit = min(status.ready, status.target - status.living)
    lacking = elastic.min - status.living - admit
    if lacking <= 0:
        return Proceed(admit)
    if status.failed_starts >= MAX_FAILED_STARTS:
        return GiveUp(
            f"{status.failed_starts} workers in a row died at their start, and {status.living} are "
            f"fewer than elastic.min {elastic.min}"
        )
    return Await(lacking)


def to_start(status: Status) -> int:
    """How many workers to ask Ray for."""
    if status.failed_starts >= MAX_FAILED_STARTS:
        return 0
    return max(0, status.target - status.living - status.starting - status.ready)
