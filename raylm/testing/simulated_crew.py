"""Workers that answer at once and compute nothing: for the cost of the control plane alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ray.exceptions import ActorDiedError
from ray.util.placement_group import PlacementGroup

from raylm.runtime.crew import Hand
from raylm.runtime.worker import Member, Vitals


@dataclass(slots=True, eq=False)
class Answer:
    """A call that has returned, or failed with an error."""

    value: Any = None
    error: ActorDiedError | None = None


class SimulatedCalls:
    """Every call has returned."""

    def wait(
        self, refs: Sequence[Any], count: int, timeout_s: float
    ) -> tuple[list[Any], list[Any]]:
        return list(refs[:count]), list(refs[count:])

    def results(self, refs: Sequence[Any]) -> list[Any]:
        for ref in refs:
            if ref.error is not None:
                raise ref.error
        return [ref.value for ref in refs]


class SimulatedActor:
    """`steps`: shared by all, the number of the last step that any has done."""

    def __init__(self, steps: list[int]) -> None:
        self.is_dead = False
        self._steps = steps

    def __getattr__(self, method: str) -> "_Method":
        return _Method(self, method)

    def act(self, method: str, args: tuple[Any, ...]) -> Answer:
        if self.is_dead:
            return Answer(error=ActorDiedError())
        match method, args:
            case "vitals", _:
                return Answer(Vitals(is_leaving=False, step=self._steps[0], own_work_s=1.0))
            case "invoke", (_, "advance", (number, _), _):
                self._steps[0] = number
                return Answer(number)
            case "invoke", (_, "inherit", _, _):
                return Answer(self._steps[0] - 1)  # what was under way has not been committed
        return Answer()


@dataclass(slots=True)
class _Method:
    actor: SimulatedActor
    name: str

    def remote(self, *args: Any) -> Answer:
        return self.actor.act(self.name, args)


class SimulatedCrew:
    """Stands in for a Crew. `per_node` workers share a node."""

    failed_starts, last_failure = 0, ""

    def __init__(self, per_node: int = 8) -> None:
        self.resources = {"CPU": 1.0}
        self.taken: dict[str, str] = {}
        self.free = ()
        self.calls = SimulatedCalls()
        self._per_node = per_node
        self._started = 0
        self._wanted = 0
        self._steps = [0]

    @property
    def starting(self) -> int:
        return self._wanted

    def start(self, count: int, *, is_late: bool = False) -> None:
        self._wanted += count

    def arrivals(self, timeout_s: float = 0.0) -> list[Hand]:
        arrived = [self._hand() for _ in range(self._wanted)]
        self._wanted = 0
        return arrived

    def end(self, hand: Hand, *, is_replaced: bool = False) -> None:
        hand.actor.is_dead = True

    def cancel(self, count: int) -> None:
        self._wanted -= count

    def close(self) -> None: ...

    def _hand(self) -> Hand:
        number, self._started = self._started, self._started + 1
        member = Member(-1, number, f"node-{number // self._per_node}", f"actor-{number}")
        return Hand(SimulatedActor(self._steps), member, cast(PlacementGroup, None))
