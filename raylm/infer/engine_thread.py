"""The engine stepping in a thread of its own: commands in, what each step made out."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread

from raylm.core.errors import EngineError
from raylm.infer.engine import Engine
from raylm.infer.sampling.outputs import Delta
from raylm.infer.scheduling.request import Request

log = logging.getLogger(__name__)

Event = tuple[str, Delta | EngineError]  # a request's id and what became of it

# One failed step may be one bad request; so many in a row are a broken engine.
_MOST_FAILURES = 3


class EngineThread:
    """Nothing else touches the engine. `deliver` is called in this thread, once per step.

    A step that raises fails the requests that ran in it, and the next goes on with the rest.
    """

    def __init__(self, engine: Engine, deliver: Callable[[Sequence[Event]], None]) -> None:
        self.failure: EngineError | None = None
        self._engine = engine
        self._deliver = deliver
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = Lock()  # between the last command taken and one posted too late
        self._open = True
        self._failures = 0
        self._thread = Thread(target=self._run, name="raylm-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, requests: Sequence[Request]) -> None:
        with self._lock:
            if not self._open:
                raise self.failure or EngineError("the engine is shut down")
            self._commands.put(partial(self._engine.submit, requests))

    def abort(self, request_id: str) -> None:
        """Before the next step; an id already finished is none."""
        self._commands.put(partial(self._engine.abort, request_id))

    def stop(self) -> None:
        """After the current step; what is unfinished then fails."""
        self._commands.put(self._close)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._open:
                self._take_commands()
                if self._open and self._engine.has_work:
                    self._deliver(self._step())
        except Exception as error:
            log.exception("the engine has failed")
            self.failure = EngineError(f"the engine has failed: {error}; restart it")
        finally:
            self._close()
            while not self._commands.empty():
                self._commands.get()()
            reason = self.failure or EngineError("the engine was shut down")
            self._deliver(self._fail(self._engine.open_ids, reason))

    def _take_commands(self) -> None:
        """All there are; with nothing else to do, sleep until there is one."""
        while self._open and not (self._commands.empty() and self._engine.has_work):
            self._commands.get()()

    def _step(self) -> Sequence[Event]:
        try:
            events = self._engine.step()
        except Exception as error:
            self._failures += 1
            if self._failures == _MOST_FAILURES:
                raise
            log.exception("a step of the engine failed")
            reason = EngineError(f"the engine failed while running this request: {error}")
            return self._fail(self._engine.running_ids, reason)
        self._failures = 0
        return events

    def _fail(self, request_ids: set[str], reason: EngineError) -> Sequence[Event]:
        for request_id in request_ids:
            self._engine.abort(request_id)
        return [(request_id, reason) for request_id in request_ids]

    def _close(self) -> None:
        with self._lock:
            self._open = False
