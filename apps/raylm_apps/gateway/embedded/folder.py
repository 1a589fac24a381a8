"""The data folder: who holds it, and where its servers' sockets live."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

from raylm.core.errors import InUseError, StoreError

SOCKET_PATH_LIMIT = 107  # bytes, of the kernel's sockaddr_un
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


class FolderLock:
    """Held by the one process whose stores run on the folder; released by its death."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        file = (self._folder / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise InUseError(
                f"{self._folder} is in use by process {holder}; stop it, or choose another data "
                "folder (raylm up --data-dir DIR)"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def socket_folder(data_dir: Path) -> Path:
    """`data_dir/run`, or where its path is too long for a socket, a private folder in /tmp.

    The same data folder always has the same socket folder, so URLs survive a restart.
    """
    folder = data_dir / "run"
    if len(os.fsencode(folder)) + _LONGEST_SOCKET_NAME > SOCKET_PATH_LIMIT:
        digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"raylm-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_mode & 0o077:
        raise StoreError(f"{folder} is open to other users; remove it and start again")
    return folder
