"""The workers of one epoch by rank: told what to do together, and found out when they fail."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from raylm.runtime.calls import Calls, error_of
from raylm.runtime.crew import Hand
from raylm.runtime.failure import Cause, Failure, blame, cause_of, death_reason

_BLAME_S = 3.0  # how long the other ranks get to show what really happened
_TICK_S = 0.25


class RanksFailedError(Exception):
    """`failures` by rank; the `culprit`'s explains the others. `refs`: the calls that failed."""

    def __init__(
        self,
        failures: Sequence[Failure],
        refs: Sequence[Any],
        causes: Mapping[int, RayError],
    ) -> None:
        self.failures, self.refs = list(failures), list(refs)
        self.culprit = blame(failures)
        self.cause = causes[self.culprit.rank]  # which has the worker's traceback
        super().__init__(str(self.culprit.to_error()))


class Ranks:
    def __init__(self, hands: Sequence[Hand], epoch: int, calls: Calls) -> None:
        self.hands, self.epoch, self._calls = tuple(hands), epoch, calls

    def __len__(self) -> int:
        return len(self.hands)

    def submit(self, rank: int, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.hands[rank].actor.invoke.remote(self.epoch, method, args, kwargs)

    def submit_all(self, method: str, *args: Any, **kwargs: Any) -> list[Any]:
        return [self.submit(rank, method, *args, **kwargs) for rank in range(len(self))]

    def gather(self, refs: Sequence[Any], silent: Callable[[], Sequence[int]] = list) -> list[Any]:
        """Results in order. Raises RanksFailedError as soon as one has failed, or ranks are
        `silent`, which do not answer at all."""
        pending = list(refs)
        while pending:
            done, pending = self._calls.wait(pending, 1, _TICK_S)
            also_done, pending = self._calls.wait(pending, len(pending), 0.0)
            errors = (error_of(self._calls, ref) for ref in [*done, *also_done])
            if error := next(filter(None, errors), None):
                self._fail(refs, _BLAME_S if isinstance(error, RayTaskError) else 0.0)
            if quiet := silent():
                self._fail(refs, 0.0, quiet)
        return self._calls.results(refs)

    def leave(self, timeout_s: float, refs: Sequence[Any] = ()) -> list[int]:
        """All leave the group. Ranks that did not, or are still in their call of `refs`."""
        calls = [*self.tell_to_leave(), *refs]
        _, pending = self._calls.wait(calls, len(calls), timeout_s)
        stuck = {calls.index(ref) % len(self) for ref in pending}
        return sorted(stuck)

    def tell_to_leave(self) -> list[Any]:
        return [hand.actor.leave_group.remote(self.epoch) for hand in self.hands]

    def _fail(self, refs: Sequence[Any], patience_s: float, silent: Sequence[int] = ()) -> NoReturn:
        """Whoever is told of a lost peer first may not be the one to blame, nor who has not
        returned because it waits for one that is silent."""
        deadline = time.monotonic() + patience_s
        errors = self._errors(refs)
        while time.monotonic() < deadline and not _is_explained(errors):
            pending = [refs[rank] for rank, error in errors.items() if _is_late(error)]
            self._calls.wait(pending, 1, _TICK_S)
            errors = self._errors(refs)
        if any(rank in errors for rank in silent):
            errors = {r: e for r, e in errors.items() if r in silent or not _is_late(e)}
        failures = [self._failure(rank, error) for rank, error in errors.items()]
        raise RanksFailedError(failures, refs, errors)

    def _errors(self, refs: Sequence[Any]) -> dict[int, RayError]:
        found = {rank: error_of(self._calls, ref) for rank, ref in enumerate(refs)}
        return {rank: error for rank, error in found.items() if error is not None}

    def _failure(self, rank: int, error: RayError) -> Failure:
        pid = self.hands[rank].member.pid
        match error:
            case GetTimeoutError():
                return Failure(rank, pid, Cause.HUNG, "no answer; see its log in Ray's session")
            case RayTaskError():
                reason = f"{type(error.cause).__name__}: {error.cause}"
                return Failure(rank, pid, cause_of(error.cause), reason, error.cause)
            case RayActorError():
                return Failure(rank, pid, Cause.DIED, death_reason(str(error)), error)
            case _:
                return Failure(rank, pid, Cause.RAISED, str(error), error)


def _is_late(error: RayError) -> bool:
    return isinstance(error, GetTimeoutError)


def _is_explained(errors: Mapping[int, RayError]) -> bool:
    """A death explains all others; nothing more is to come where no call is under way."""
    kinds = [type(error) for error in errors.values()]
    return GetTimeoutError not in kinds or any(issubclass(kind, RayActorError) for kind in kinds)
