"""`up.lock` in the data folder: held by the one `raylm up` on it, and telling who that is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import orjson

from raylm.core.errors import InUseError

NAME = "up.lock"


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    url: str


@contextmanager
def hold(data_dir: Path, url: str) -> Iterator[None]:
    """The kernel releases the lock with the process, however that ends.

    Raises InUseError where another holds it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / NAME).open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUseError(_in_use(data_dir, _read(file))) from None
        _write(file, Running(os.getpid(), url))
        yield


def read_lock(data_dir: Path) -> Running | None:
    """Who runs on the folder; None when nobody does, even after a kill -9."""
    try:
        file = (data_dir / NAME).open("rb")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(file)
        return None


def _read(file: IO[bytes]) -> Running | None:
    """None in the instant between taking the lock and signing it."""
    file.seek(0)
    text = file.read()
    return Running(**orjson.loads(text)) if text else None


def _write(file: IO[bytes], running: Running) -> None:
    file.truncate(0)
    file.write(orjson.dumps(asdict(running)))
    file.flush()


def _in_use(data_dir: Path, running: Running | None) -> str:
    holder = f"process {running.pid} at {running.url}" if running else "another raylm up"
    return (
        f"{data_dir} is in use by {holder}; stop it with `raylm down --data-dir {data_dir}` "
        "or choose another folder with --data-dir"
    )
