"""A run directory: config.yaml, metrics.jsonl, events.jsonl and checkpoints/."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from raylm.checkpoint.load import CHECKPOINTS, Checkpoint, locate
from raylm.checkpoint.save import prune
from raylm.core.errors import InUseError, UsageError
from raylm.core.metrics import JsonlWriter, read_jsonl
from raylm.core.schema import TrainConfig
from raylm.train.update import Update
from raylm.train.wish import EVENTS, Wish

RUNS = Path("runs")
METRICS, CONFIG = "metrics.jsonl", "config.yaml"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a run writes, and the checkpoint it goes on from, if any. `events`: how many the folder
    held before."""

    folder: Path
    checkpoint: Checkpoint | None
    events: int = 0

    @property
    def step(self) -> int:
        return self.checkpoint.manifest.step if self.checkpoint else 0

    @property
    def samples(self) -> int:
        return self.checkpoint.manifest.samples if self.checkpoint else 0


def choose_start(config: TrainConfig, output: Path | None, resume: str | Path | None) -> Start:
    """`resume` is None, 'auto' (the latest checkpoint of `output`, if it has one) or a path.

    Raises UsageError where `output` already holds another run, CheckpointError for a bad one.
    """
    if resume is None:
        folder = output or _unused(RUNS / f"{config.name}-{time.strftime('%Y%m%d-%H%M%S')}")
        _require_empty(folder)
        return Start(folder, None, len(_events(folder)))
    if resume == "auto":
        if output is None:
            raise UsageError("--resume auto needs --output RUN_DIR to know which run to resume")
        return newest_start(output)
    checkpoint = Checkpoint.open(resume)
    folder = output or checkpoint.run or _unused(RUNS / config.name)
    if checkpoint.run is None or folder.resolve() != checkpoint.run.resolve():
        _require_empty(folder)
    return Start(folder, checkpoint, len(_events(folder)))


def newest_start(folder: Path) -> Start:
    """The newest checkpoint of a run, or its beginning."""
    checkpoint = Checkpoint.open(folder) if locate(folder) else None
    return Start(folder, checkpoint, len(_events(folder)))


def recorded(folder: Path, after: int) -> list[Update]:
    """Of the steps `after` some step."""
    path = folder / METRICS
    rows = read_jsonl(path) if path.exists() else []
    return [Update.from_dict(row) for row in rows if row["step"] > after]


def newest_of(start: Start) -> Start:
    """The newest checkpoint that the run from `start` has saved and kept, or `start` itself: its
    folder may hold newer ones, of a run that was left behind."""
    own = _events(start.folder)[start.events :]
    saved = [Path(event["path"]) for event in own if event["event"] == "checkpoint_saved"]
    newest = next((folder for folder in reversed(saved) if folder.exists()), None)
    return start if newest is None else replace(start, checkpoint=Checkpoint.open(newest))


class RunDirectory:
    """Opened for writing."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        self.folder = folder
        self._kept = config.checkpoint
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
        self.wish = Wish(folder)
        self.wish.take()  # of a former run
        self._metrics = JsonlWriter(self.folder / METRICS)
        self._events = JsonlWriter(self.folder / EVENTS)
        self._losses = _heldout_losses(self.folder / METRICS)

    @property
    def checkpoints(self) -> Path:
        return self.folder / CHECKPOINTS

    def rewind(self, step: int) -> None:
        """Drop the metrics after `step`, which will be made anew."""
        self._metrics.close()
        _drop_after(self.folder / METRICS, step)
        self._losses = _heldout_losses(self.folder / METRICS)
        self._metrics = JsonlWriter(self.folder / METRICS)

    def last_update(self) -> dict[str, Any] | None:
        """The newest row of the metrics."""
        rows = read_jsonl(self.folder / METRICS)
        return rows[-1] if rows else None

    def update(self, update: Update) -> None:
        self._metrics.write({"t": time.time(), **update.to_dict()})
        if update.heldout_loss is not None:
            self._losses[update.step] = update.heldout_loss

    def event(self, name: str, **fields: Any) -> None:
        self._events.event(name, **fields)

    def saved(self, checkpoint: Path, step: int, seconds: float) -> None:
        self.event("checkpoint_saved", step=step, path=str(checkpoint), seconds=seconds)
        prune(self.checkpoints, self._kept.keep_last, self._kept.keep_best, self._losses)

    def not_saved(self, step: int, error: str) -> None:
        self.event("checkpoint_failed", step=step, error=error)

    def close(self) -> None:
        self._metrics.close()
        self._events.close()


def _events(folder: Path) -> list[dict[str, Any]]:
    path = folder / EVENTS
    return read_jsonl(path) if path.exists() else []


def _heldout_losses(metrics: Path) -> dict[int, float]:
    rows = read_jsonl(metrics) if metrics.exists() else []
    return {row["step"]: row["heldout_loss"] for row in rows if "heldout_loss" in row}


def _unused(folder: Path) -> Path:
    """The folder, or the first FOLDER-2, FOLDER-3, ... that does not exist."""
    candidate, number = folder, 1
    while candidate.exists():
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def _require_empty(folder: Path) -> None:
    if folder.is_file():
        raise UsageError(f"--output {str(folder)!r} is a file; name a folder")
    metrics = folder / METRICS
    if (metrics.exists() and metrics.stat().st_size) or (folder / CHECKPOINTS).exists():
        raise InUseError(
            f"{str(folder)!r} already holds a run; continue it with --resume auto or choose "
            "another --output"
        )


def _drop_after(metrics: Path, step: int) -> None:
    if not metrics.exists():
        return
    kept = [row for row in read_jsonl(metrics) if row["step"] <= step]
    draft = metrics.with_suffix(".part")
    draft.write_bytes(b"".join(orjson.dumps(r, option=orjson.OPT_APPEND_NEWLINE) for r in kept))
    draft.replace(metrics)
