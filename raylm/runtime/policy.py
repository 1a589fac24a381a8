"""What to do when workers are lost, ready, unwanted or too many: a decision (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from raylm.core.schema import Elastic

MAX_FAILED_STARTS = 5  # in a row: something is wrong with the worker, not with a machine


@dataclass(frozen=True, slots=True)
class Status:
    """Workers of the group that live, that were started but have not answered, that have and wait
    to be let in; and how many shall work (`target`).

    `leaving`: ranks that will be gone soon. `slow`: ranks to be replaced when others are ready.
    `is_suspect`: the step to come has killed who did it.
    """

    living: int
    starting: int
    ready: int
    target: int
    failed_starts: int = 0
    leaving: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()
    is_suspect: bool = False


@dataclass(frozen=True, slots=True)
class Proceed:
    """Go on with those that live; `admit` of the ready ones join them."""

    admit: int = 0


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let these ranks go."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Await:
    """Too few to go on: wait until `count` more are ready."""

    count: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """`is_lost`: with the last worker the state has died, too."""

    reason: str
    is_lost: bool = False


Decision = Proceed | Dismiss | Await | GiveUp


def decide(status: Status, elastic: Elastic) -> Decision:
    """At a boundary between steps, planned or forced by a loss."""
    if status.living == 0:
        return GiveUp("no worker is left", is_lost=True)
    needed = max(elastic.min, 2 if status.is_suspect and status.target > 1 else 1)
    staying = status.living - len(status.leaving)
    if status.leaving and staying + status.ready >= needed:
        # Where all are leaving, others must have their state first.
        return Dismiss(status.leaving) if staying else Proceed(min(status.ready, status.target))
    if status.living > status.target:
        return Dismiss(tuple(range(status.target, status.living)))
    if status.slow and status.ready:
        return Dismiss(status.slow[: status.ready])
    admit = min(status.ready, status.target - status.living)
    lacking = needed - status.living - admit
    if lacking <= 0:
        return Proceed(admit)
    if status.failed_starts >= MAX_FAILED_STARTS:
        return GiveUp(
            f"{status.failed_starts} workers in a row died at their start, and {status.living} are "
            f"fewer than the {needed} needed"
        )
    return Await(lacking)


def to_start(status: Status) -> int:
    """How many workers to ask Ray for."""
    if status.failed_starts >= MAX_FAILED_STARTS:
        return 0
    staying = status.living - len({*status.leaving, *status.slow})
    return max(0, status.target - staying - status.starting - status.ready)


def to_drop(status: Status) -> int:
    """How many of those that start or are ready nobody wants any more."""
    staying = status.living - len({*status.leaving, *status.slow})
    waiting = status.starting + status.ready
    return min(waiting, max(0, staying + waiting - status.target))


def grown(
    target: int, elastic: Elastic, added: Mapping[str, float], each: Mapping[str, float]
) -> int:
    """The target when nodes with resources `added` have come, of which a worker takes `each`."""
    if elastic.max is None:
        return target
    room = min((int(added.get(name, 0.0) // amount) for name, amount in each.items()), default=0)
    return max(target, min(elastic.max, target + room))


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Of a step that kills who does it. `victims`: (rank, world size), by attempt."""

    number: int = -1
    victims: tuple[tuple[int, int], ...] = ()

    ATTEMPTS: ClassVar[int] = 3
    CHANCE: ClassVar[int] = 1  # so often somebody dies in a step by chance

    def struck(self, number: int, rank: int, world_size: int) -> "Suspicion":
        before = self.victims if number == self.number else ()
        return Suspicion(number, (*before, (rank, world_size)))

    def is_of(self, number: int) -> bool:
        return number == self.number and len(self.victims) > self.CHANCE

    @property
    def is_certain(self) -> bool:
        return len(self.victims) >= self.ATTEMPTS
