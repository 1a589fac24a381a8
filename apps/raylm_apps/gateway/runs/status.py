"""How a run is, by what it has written and when: pure."""

from collections.abc import Sequence
from enum import StrEnum

from raylm_apps.gateway.runs.lines import Row

SILENT_S = 300.0
SILENT_STEPS = 10


class Status(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    SILENT = "silent"
    """It has told of no end, but nothing else for long: killed, or its machine is gone."""
    BROKEN = "broken"
    """Its directory cannot be read."""


_ENDINGS = {"finished": Status.FINISHED, "failed": Status.FAILED, "interrupted": Status.STOPPED}


def status_of(events: Sequence[Row], silent_s: float, step_s: float) -> Status:
    """`step_s`: what its last step has taken."""
    last = events[-1] if events else {}
    if last.get("event") == "run_finished":
        return _ENDINGS.get(str(last.get("status")), Status.STOPPED)
    is_silent = silent_s > max(SILENT_S, SILENT_STEPS * step_s)
    return Status.SILENT if is_silent else Status.RUNNING
