"""How many workers somebody wants a run to have, left in its directory for it to find."""

import time
from pathlib import Path
from typing import Any

from raylm.core.errors import UsageError, WorkerError
from raylm.core.json_file import read_json_object, write_json_object
from raylm.core.metrics import read_jsonl

WISH, EVENTS = "wish.json", "events.jsonl"
_LOOK_S = 0.2


class Wish:
    def __init__(self, folder: Path) -> None:
        self._path = folder / WISH

    def make(self, workers: int) -> None:
        draft = self._path.with_suffix(".part")
        write_json_object(draft, {"workers": workers})
        draft.replace(self._path)

    @property
    def is_taken(self) -> bool:
        return not self._path.exists()

    def take(self) -> int | None:
        """What was wished for since the last call."""
        if not self._path.exists():
            return None
        workers = int(read_json_object(self._path)["workers"])
        self._path.unlink(missing_ok=True)
        return workers


def resize(folder: Path, workers: int, timeout_s: float) -> None:
    """Returns when the run goes on with so many workers.

    Raises UsageError where there is no run under way, or it refuses; WorkerError when the workers
    have not come in time, which may still come.
    """
    seen = _events(folder)
    if not seen or seen[-1]["event"] == "run_finished":
        raise UsageError(f"{folder}: no run is under way there")
    wish = Wish(folder)
    wish.make(workers)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        for event in _events(folder)[len(seen) :]:
            match event:
                case {"event": "resize_refused", "reason": reason}:
                    raise UsageError(reason)
                case {"event": "run_finished"}:
                    raise UsageError(f"{folder}: the run has ended before it could be resized")
        if wish.is_taken and _size(_events(folder)) == workers:
            return
    raise WorkerError(
        f"{folder}: has {_size(_events(folder))} workers, not {workers}, after {timeout_s:g} s; "
        "others join when the cluster has room for them"
    )


def _events(folder: Path) -> list[dict[str, Any]]:
    path = folder / EVENTS
    return read_jsonl(path) if path.is_file() else []


def _size(events: list[dict[str, Any]]) -> int:
    sizes = [event["world_size"] for event in events if event["event"] == "epoch_started"]
    return int(sizes[-1]) if sizes else 0
