"""What a controller asks Ray about calls under way: a narrow seam, so that ten thousand workers
can be simulated in its place."""

from collections.abc import Sequence
from typing import Any, Protocol

import ray
from ray.exceptions import RayError


class Calls(Protocol):
    def wait(
        self, refs: Sequence[Any], count: int, timeout_s: float
    ) -> tuple[list[Any], list[Any]]:
        """Calls that have returned or failed, and the others; returns when there are `count`."""
        ...

    def results(self, refs: Sequence[Any]) -> list[Any]:
        """Of calls that have returned. Raises RayError for the first that has failed."""
        ...


class RayCalls:
    def wait(
        self, refs: Sequence[Any], count: int, timeout_s: float
    ) -> tuple[list[Any], list[Any]]:
        if not refs:
            return [], []
        return ray.wait(list(refs), num_returns=count, timeout=timeout_s)

    def results(self, refs: Sequence[Any]) -> list[Any]:
        return list(ray.get(list(refs), timeout=0))


def error_of(calls: Calls, ref: Any) -> RayError | None:
    """GetTimeoutError stands for a call that has not returned."""
    try:
        calls.results([ref])
    except RayError as error:
        return error
    return None
