"""Which of several failed ranks is at fault, and what to say about it (pure)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from raylm.core.errors import PeerLostError, RayLMError, WorkerError


class Cause(IntEnum):
    """Ordered by guilt: each explains those below it in the other ranks."""

    DIED = 0
    RAISED = 1
    HUNG = 2
    LOST_A_PEER = 3


@dataclass(frozen=True, slots=True)
class Failure:
    rank: int
    pid: int
    cause: Cause
    reason: str
    error: BaseException | None = None

    def to_error(self) -> RayLMError:
        """The worker's own RayLMError where it raised one, else a WorkerError naming it."""
        if self.cause is Cause.RAISED and isinstance(self.error, RayLMError):
            return self.error
        verb = {Cause.DIED: "died", Cause.HUNG: "does not answer"}.get(self.cause, "failed")
        return WorkerError(
            f"worker {self.rank} (pid {self.pid}) {verb}: {self.reason}",
            rank=self.rank,
            pid=self.pid,
            reason=self.reason,
        )


def blame(failures: Sequence[Failure]) -> Failure:
    return min(failures, key=lambda failure: (failure.cause, failure.rank))


def cause_of(error: BaseException) -> Cause:
    """A RuntimeError about a connection is how gloo and NCCL report somebody else's death."""
    if isinstance(error, PeerLostError):
        return Cause.LOST_A_PEER
    lost = isinstance(error, RuntimeError) and _LOST_PEER.search(str(error))
    return Cause.LOST_A_PEER if lost else Cause.RAISED


def death_reason(message: str) -> str:
    """Ray's page of possible causes, cut down to the sentence that is known."""
    if detail := _EXIT_DETAIL.search(message):
        return " ".join(detail[1].split())
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


_EXIT_DETAIL = re.compile(r"Worker exit detail: (.*?)(?: Some common causes|$)", re.DOTALL)
_LOST_PEER = re.compile(
    r"connection (reset|closed|refused)|broken pipe|gloo|nccl|timed out|process group", re.I
)
