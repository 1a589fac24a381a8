"""Writing while training goes on: one job at a time, on a thread of its own."""

import atexit
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """Of a finished job: its `value`, or the `error` that ended it."""

    value: T | None = None
    error: BaseException | None = None


class BackgroundWriter(Generic[T]):
    """To be used by one thread; what the jobs write must bear being cut off with the process."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], T] | None] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome[T]] = SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name="background-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def submit(self, job: Callable[[], T]) -> None:
        """Starts the job as soon as the one before is done, and returns then."""
        self.wait()
        self._idle.clear()
        self._jobs.put(job)

    def poll(self) -> Outcome[T] | None:
        """The oldest outcome that was not polled yet."""
        try:
            return self._outcomes.get_nowait()
        except Empty:
            return None

    def wait(self) -> None:
        """Until nothing is in flight."""
        self._idle.wait()

    def close(self, wait: bool = True) -> None:
        """Finish what is in flight, and the thread, which would abort an interpreter that ends."""
        self._jobs.put(None)
        if wait:
            atexit.unregister(self.close)
            self._thread.join()

    def _work(self) -> None:
        while (outcome := self._next()) is not None:
            self._outcomes.put(outcome)
            self._idle.set()

    def _next(self) -> Outcome[T] | None:
        """Of the next job, which is not kept: its tensors are freed; None at the end."""
        job = self._jobs.get()
        return None if job is None else _outcome(job)


def _outcome(job: Callable[[], T]) -> Outcome[T]:
    try:
        return Outcome(value=job())
    except BaseException as error:
        return Outcome(error=error)
