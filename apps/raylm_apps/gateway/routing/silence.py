"""How long a stream may say nothing, by one timer a stream instead of one a chunk."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.providers.base import ProviderError

T = TypeVar("T")


async def watched(
    items: AsyncGenerator[T, None], first_s: float | None, between_s: float | None
) -> AsyncGenerator[T, None]:
    """The same items. Raises ProviderError where one takes too long; time that the reader takes
    between two of them does not count."""
    watch, patience_s = _SilenceWatch(), first_s
    try:
        async with aclosing(items):
            while True:
                watch.begin(patience_s)
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError:
                    if watch.is_to_blame():
                        raise _too_long(patience_s) from None
                    raise
                finally:
                    watch.pause()
                yield item
                patience_s = between_s
    finally:
        watch.end()


def _too_long(seconds: float | None) -> ProviderError:
    return ProviderError.of(Failure.TIMEOUT, f"it said nothing for {seconds} s")


class _SilenceWatch:
    """Cancels its task's waiting, as asyncio's own timeouts do.

    The timer is armed anew only when it goes off and finds that it was too early.
    """

    def __init__(self) -> None:
        self._has_expired = False
        self._cancelling = 0
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0

    def begin(self, seconds: float | None) -> None:
        if seconds is None:
            return
        task = self._task = asyncio.current_task()
        assert task is not None
        self._cancelling = task.cancelling()
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._arm()

    def is_to_blame(self) -> bool:
        """Whether nobody else has cancelled the task meanwhile."""
        if not self._has_expired or self._task is None:
            return False
        return self._task.cancelling() <= self._cancelling + 1

    def pause(self) -> None:
        task, self._task = self._task, None
        if self._has_expired and task is not None:
            task.uncancel()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits; the next one to begin arms it
        if self._loop.time() < self._deadline:
            self._arm()
        else:
            self._has_expired = True
            self._task.cancel()
