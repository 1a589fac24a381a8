"""JSON lines of a file that another process is appending to."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from raylm_apps.gateway.runs.folder import inside

PLACE = r"^[0-9]{1,20}-[0-9]{1,18}$"
MOST_BYTES = 1 << 20
"""Read at once."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """How far a file has been read. A run that goes on from a checkpoint makes its file anew."""

    inode: int = 0
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.inode}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        inode, offset = text.split("-")
        return cls(int(inode), int(offset))


@dataclass(frozen=True)
class Lines:
    """`is_anew`: the place that was asked for is of a file that is no more."""

    rows: list[Row]
    place: Place
    is_anew: bool = False


def read_after(folder: Path, name: str, place: Place) -> Lines:
    """At most MOST_BYTES of whole lines; a half-written last one waits for its end."""
    path = inside(folder, name)
    if path is None:
        return Lines([], Place(), is_anew=place.inode != 0)
    stat = path.stat()
    is_same = place.inode == stat.st_ino and place.offset <= stat.st_size
    offset = place.offset if is_same else 0
    with path.open("rb") as file:
        file.seek(offset)
        text = file.read(MOST_BYTES)
    end = text.rfind(b"\n") + 1
    is_anew = place.inode != 0 and not is_same
    return Lines(list(_parsed(text[:end])), Place(stat.st_ino, offset + end), is_anew)


def read_all(folder: Path, name: str) -> Lines:
    rows: list[Row] = []
    lines = Lines([], Place())
    while True:
        before, lines = lines.place, read_after(folder, name, lines.place)
        if lines.place.inode != before.inode:
            rows = []
        rows += lines.rows
        if lines.place == before:
            return Lines(rows, lines.place)


def last_rows(folder: Path, name: str, most_bytes: int = 1 << 16) -> list[Row]:
    """Those in the file's last bytes, whose first line may be cut in two."""
    path = inside(folder, name)
    if path is None:
        return []
    with path.open("rb") as file:
        begin = max(0, path.stat().st_size - most_bytes)
        file.seek(begin)
        text = file.read(most_bytes)
    first = text.find(b"\n") + 1 if begin else 0
    return list(_parsed(text[first : text.rfind(b"\n") + 1]))


def first_row(folder: Path, name: str) -> Row | None:
    path = inside(folder, name)
    if path is None:
        return None
    with path.open("rb") as file:
        return next(_parsed(file.readline(MOST_BYTES)), None)


def _parsed(text: bytes) -> Iterator[Row]:
    """A line that is no JSON object, after a crash of the machine, is passed over."""
    for line in text.splitlines():
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(row, dict):
            yield row
