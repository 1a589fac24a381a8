"""All runs, for the routes: files are read in threads."""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raylm.core.errors import ConfigError
from raylm_apps.gateway.runs.buckets import Buckets, bucketed
from raylm_apps.gateway.runs.checkpoints import Checkpoint, checkpoints, find_checkpoint
from raylm_apps.gateway.runs.folder import EVENTS, METRICS, SAMPLES, find_run, inside, run_folders
from raylm_apps.gateway.runs.lines import Lines, Place, Row, last_rows, read_after, read_all
from raylm_apps.gateway.runs.summary import Summary, read_config, summarise

MOST_EVENTS = 1_000
SAMPLE_BYTES = 4 << 20


@dataclass(frozen=True)
class Contents:
    summary: Summary
    config: dict[str, Any]
    events: list[Row]
    event_count: int
    place: Place
    """Where the events end."""
    checkpoints: list[Checkpoint]
    has_samples: bool


@dataclass(frozen=True)
class Curves:
    buckets: Buckets
    row_count: int
    place: Place


class Runs:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def all(self) -> list[Summary]:
        """The newest first."""
        return await asyncio.to_thread(self._all)

    async def find(self, name: str) -> Path | None:
        return await asyncio.to_thread(find_run, self._root, name)

    async def read(self, run: Path) -> Contents:
        return await asyncio.to_thread(_contents, run)

    async def curves(self, run: Path, after: int, points: int) -> Curves:
        """Of the steps `after` one, at most so many points."""
        return await asyncio.to_thread(_curves, run, after, points)

    async def samples(self, run: Path, limit: int) -> list[Row]:
        """The newest first."""
        rows = await asyncio.to_thread(last_rows, run, SAMPLES, SAMPLE_BYTES)
        return rows[: -limit - 1 : -1]

    async def checkpoint(self, run: Path, name: str) -> Checkpoint | None:
        return await asyncio.to_thread(find_checkpoint, run, name)

    async def newest_checkpoints(self) -> list[tuple[str, Checkpoint]]:
        """Each run's, by its name."""
        return await asyncio.to_thread(self._newest_checkpoints)

    def _all(self) -> list[Summary]:
        now = time.time()
        found = [summarise(folder, now) for folder in run_folders(self._root)]
        return sorted(found, key=lambda run: run.started_at, reverse=True)

    def _newest_checkpoints(self) -> list[tuple[str, Checkpoint]]:
        found = ((run.name, checkpoints(run)) for run in run_folders(self._root))
        return [(name, saved[0]) for name, saved in found if saved]


def _contents(run: Path) -> Contents:
    try:
        config = read_config(run)
    except ConfigError:
        config = {}  # the summary says why
    events = read_all(run, EVENTS)
    return Contents(
        summarise(run, time.time()),
        config,
        events.rows[-MOST_EVENTS:],
        len(events.rows),
        events.place,
        checkpoints(run),
        inside(run, SAMPLES) is not None,
    )


def _curves(run: Path, after: int, points: int) -> Curves:
    """Counted first, so that rows need not be kept."""
    count = sum(1 for _ in _rows(run, after, []))
    ends: list[Place] = []
    rows = _rows(run, after, ends)
    buckets = bucketed(rows, max(1, math.ceil(count / points)))
    return Curves(buckets, sum(buckets.counts), ends[-1] if ends else Place())


def _rows(run: Path, after: int, ends: list[Place]) -> Iterator[Row]:
    """`ends` gets where each piece that was read has ended."""
    lines = Lines([], Place())
    while True:
        before, lines = lines.place, read_after(run, METRICS, lines.place)
        ends.append(lines.place)
        yield from (row for row in lines.rows if _is_after(row, after))
        if lines.place == before:
            return


def _is_after(row: Row, after: int) -> bool:
    step = row.get("step")
    return isinstance(step, int) and step > after
