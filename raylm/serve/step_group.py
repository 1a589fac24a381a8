"""A worker group in a loop of steps: each worker waits for messages, some of them answer."""

import threading
from collections.abc import Mapping
from contextlib import ExitStack

from ray.exceptions import RayError

from raylm.core.errors import EngineError, RayLMError
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import node_address
from raylm.serve.step_links import Links, LostWorkerError

_LOOK_S = 0.25
_REASON_S = 1.0  # Ray knows within that time why a worker has died
_LEAVE_S = 5.0  # a worker that is not out of its step by then is killed in it


class StepGroup:
    """Every worker runs `method(address)`, in which it takes messages from a `Link` until there
    are no more. `timeout_s` bounds a step.

    What goes wrong in one step goes wrong in all that follow, with the same reason.
    """

    def __init__(self, group: WorkerGroup, method: str, timeout_s: float) -> None:
        """Starts the group, which is closed with this."""
        self._group, self._method, self._timeout_s = group, method, timeout_s
        self._reason = ""
        self._ended = threading.Event()
        self._links = Links(node_address())
        self._thread = threading.Thread(target=self._watch, name="raylm-workers", daemon=True)
        with ExitStack() as stack:
            stack.callback(self._links.close)
            stack.enter_context(group)
            self._thread.start()
            stack.callback(self.close)
            self._meet()
            stack.pop_all()

    def step(self, message: bytes, answers: Mapping[int, memoryview]) -> None:
        """Send it to every worker; fill the memory of the ranks that answer. Raises EngineError."""
        self.check()
        try:
            self._links.send(message)
            self._links.receive(answers, self._timeout_s)
        except (LostWorkerError, TimeoutError) as error:
            self._links.close()  # so that the others end their loops, and Ray tells of the lost one
            self._ended.wait(_REASON_S)
            self._reason = self._reason or str(error)
            self.check()
        except BaseException:  # the answers of this step would be taken for those of the next
            self._reason = "a step was interrupted"
            raise

    def check(self) -> None:
        """Raises EngineError once a worker is lost, in a step or between steps."""
        if self._reason:
            raise EngineError(f"the workers have failed: {self._reason}; start new ones")

    def close(self) -> None:
        """The workers leave their loops and end."""
        self._reason = self._reason or "they were closed"
        self._links.close()
        self._ended.wait(_LEAVE_S)
        self._group.close()
        self._thread.join(_LEAVE_S)

    def _watch(self) -> None:
        try:
            self._group.call(self._method, self._links.address)
            reason = "they have left their loops"
        except (RayLMError, RayError) as error:
            reason = str(error)
        self._reason = self._reason or reason
        self._ended.set()
        self._links.close()  # so that a step that waits for one who hangs ends, too

    def _meet(self) -> None:
        present = 0
        while present < self._group.size:
            self.check()
            try:
                present += self._links.accept(_LOOK_S)
            except TimeoutError:
                continue
            except OSError:  # closed, because a worker is lost
                self.check()
                raise
