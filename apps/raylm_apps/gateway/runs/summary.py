"""A run in a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from raylm.core.config import read_yaml
from raylm.core.errors import ConfigError
from raylm_apps.gateway.runs.folder import CONFIG, EVENTS, METRICS, inside
from raylm_apps.gateway.runs.lines import Row, first_row, last_rows
from raylm_apps.gateway.runs.status import Status, status_of


@dataclass(frozen=True)
class Summary:
    """`algorithm` is that of an alignment; `error` says why a directory is broken."""

    id: str
    name: str
    algorithm: str | None
    status: Status
    step: int
    steps: int | None
    last: Mapping[str, Any]
    """The newest row of the metrics."""
    world_size: int | None
    started_at: float
    updated_at: float
    error: str | None = None


def summarise(folder: Path, now: float) -> Summary:
    """Whatever lies there: what cannot be read is said in `error`."""
    try:
        config, error = read_config(folder), None
    except ConfigError as mistake:
        config, error = {}, str(mistake)
    try:
        return _summary(folder, config, error, now)
    except OSError as mistake:
        return _broken(folder, f"{folder.name}: cannot be read: {mistake.strerror}", now)


def read_config(folder: Path) -> dict[str, Any]:
    """Raises ConfigError."""
    path = inside(folder, CONFIG)
    if path is None:
        raise ConfigError(f"{folder.name}: not a run, it has no {CONFIG}")
    try:
        return _config(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise ConfigError(f"{folder.name}: is being deleted") from None


@lru_cache(maxsize=256)
def _config(path: Path, written_at_ns: int) -> dict[str, Any]:
    """Parsing takes longer than all else, and a list asks for the same ones again."""
    return read_yaml(path)


def algorithm_of(config: Mapping[str, Any]) -> str | None:
    section = config.get("align")
    found = section.get("algorithm") if isinstance(section, Mapping) else config.get("algorithm")
    return found if isinstance(found, str) else None


def _summary(folder: Path, config: Mapping[str, Any], error: str | None, now: float) -> Summary:
    rows, events = last_rows(folder, METRICS), last_rows(folder, EVENTS)
    last = rows[-1] if rows else {}
    updated_at = max(_written_at(folder, name) for name in (CONFIG, METRICS, EVENTS))
    silent_s, step_s = now - updated_at, _number(last.get("step_seconds")) or 0.0
    steps, name = config.get("steps"), config.get("name")
    return Summary(
        folder.name,
        name if isinstance(name, str) else folder.name,
        algorithm_of(config),
        Status.BROKEN if error else status_of(events, silent_s, step_s),
        int(_number(last.get("step")) or 0),
        steps if isinstance(steps, int) else None,
        last,
        _world_size(last, events),
        _started_at(folder, updated_at),
        updated_at,
        error,
    )


def _broken(folder: Path, error: str, now: float) -> Summary:
    return Summary(
        folder.name, folder.name, None, Status.BROKEN, 0, None, {}, None, now, now, error
    )


def _written_at(folder: Path, name: str) -> float:
    path = inside(folder, name)
    return 0.0 if path is None else path.stat().st_mtime


def _started_at(folder: Path, updated_at: float) -> float:
    first = first_row(folder, EVENTS) or first_row(folder, METRICS) or {}
    return _number(first.get("t")) or updated_at


def _world_size(last: Mapping[str, Any], events: list[Row]) -> int | None:
    """Before the first step, what the workers have begun with."""
    begun = [event.get("world_size") for event in events if event.get("event") == "epoch_started"]
    found = _number(last.get("world_size")) or (_number(begun[-1]) if begun else None)
    return None if found is None else int(found)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
