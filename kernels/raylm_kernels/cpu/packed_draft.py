"""A file that is being written while others wait for it, and that a killed process cannot spoil."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self


class Draft:
    """Locked until it is closed; whoever opens it meanwhile waits. It is gone then, unless it was
    published, which gives it its name as a whole."""

    suffix = ".draft"

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file = file
        self._path = path
        self._is_published = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Of `path`, empty. Raises OSError."""
        draft = path.with_suffix(cls.suffix)
        while True:
            file = draft.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _is_at(file, draft):  # not what another has published or removed meanwhile
                    file.truncate(0)
                    return cls(file, path)
            except BaseException:
                file.close()
                raise
            file.close()

    @classmethod
    def remove_abandoned(cls, folder: Path) -> None:
        """What processes that were killed have left, which nobody locks."""
        for path in folder.glob(f"*{cls.suffix}"):
            with suppress(OSError), path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(file, path):
                    path.unlink()

    def publish(self) -> None:
        self.file.flush()
        self._path.with_suffix(self.suffix).replace(self._path)
        self._is_published = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # of what could not be written
            if not self._is_published:
                self._path.with_suffix(self.suffix).unlink(missing_ok=True)
        with suppress(OSError):
            self.file.close()


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
