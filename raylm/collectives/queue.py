"""Operations one after another on a thread of their own, beside the computation."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable

Finish = Callable[[], None]
Job = Callable[[], Finish | None]


class Clock:
    """How long somebody has waited for operations that were not done yet."""

    waited_s = 0.0


class Handle:
    """The promise of an operation; `wait` raises what it raised."""

    __slots__ = ("_clock", "_done", "_error", "_finish")

    def __init__(self, finish: Finish | None = None, clock: "Clock | None" = None) -> None:
        self._done = threading.Event()
        self._clock = clock
        self._error: BaseException | None = None
        self._finish = finish

    @classmethod
    def finished(cls, finish: Finish | None = None) -> "Handle":
        """Of an operation that is done but for `finish`, which `wait` calls once."""
        handle = cls(finish)
        handle._done.set()
        return handle

    def wait(self) -> None:
        if not self._done.is_set():
            began = time.monotonic()
            self._done.wait()
            if self._clock is not None:
                self._clock.waited_s += time.monotonic() - began
        if self._error is not None:
            raise self._error
        if self._finish is not None:
            finish, self._finish = self._finish, None
            finish()

    def is_done(self) -> bool:
        return self._done.is_set()

    def settle(self, error: BaseException | None) -> None:
        if not self._done.is_set():
            self._error = error
            self._done.set()


class OrderedQueue:
    """After a failure every operation, under way or to come, fails with the same error."""

    def __init__(self, name: str) -> None:
        self.clock = Clock()
        self._jobs: deque[tuple[Job, Handle]] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._is_closed = False
        self._current: Handle | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> Handle:
        handle = Handle(clock=self.clock)
        with self._changed:
            if self._error is not None:
                raise self._error
            if self._is_closed:
                raise RuntimeError("the queue is closed")
            self._jobs.append((job, handle))
            self._changed.notify()
        return handle

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            waiting = [handle for _, handle in self._jobs]
            self._jobs.clear()
            if self._current is not None:
                waiting.append(self._current)
            self._changed.notify()
        for handle in waiting:
            handle.settle(self._error)

    def close(self, patience_s: float = math.inf) -> None:
        """Take no more; returns when what was submitted is done, or something has failed."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        deadline = time.monotonic() + patience_s
        while self._thread.is_alive() and self._error is None and time.monotonic() < deadline:
            self._thread.join(0.05)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._is_closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                job, handle = self._jobs.popleft()
                self._current = handle
            try:
                job()
            except BaseException as error:  # reaches whoever waits
                self._current = None
                self.fail(error)
                handle.settle(self._error)
            else:
                handle.settle(None)
            del job, handle
            self._current = None
