"""Append-only JSON lines: a run's metrics.jsonl and events.jsonl."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson


class JsonlWriter:
    """One object a line, flushed at once, so that a killed run keeps every line written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, record: dict[str, Any]) -> None:
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def event(self, name: str, **fields: Any) -> None:
        self.write({"t": time.time(), "event": name, **fields})

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Every whole line; a torn last line, left by a kill, is skipped."""
    lines = path.read_bytes().split(b"\n")
    return [orjson.loads(line) for line in lines[:-1] if line]
