"""Where the files of packed weights lie, shared by all processes, and how many of them are kept."""

import errno
import math
import os
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from raylm_kernels.cpu import packed_file
from raylm_kernels.cpu.packed_draft import Draft
from raylm_kernels.cpu.packed_file import DamagedError, Shares, Vector
from raylm_kernels.custom import cache_dir

LIMIT = "RAYLM_PACKED_CACHE_GIB"
_DEFAULT_GIB = "16"
_SUFFIX = ".packed"

Pack = Callable[[], list[Vector]]


class PackedFolder:
    """A new file takes the place of those that were not used for longest, so that all together have
    at most as many GiB as RAYLM_PACKED_CACHE_GIB says; 0 keeps none."""

    def __init__(self, path: Path | None = None, limit_bytes: int | None = None) -> None:
        self.path = path or cache_dir("packed")
        self.limit_bytes = _limit_bytes() if limit_bytes is None else limit_bytes

    def sizes(self) -> dict[Path, int]:
        """In bytes; the file that was not used for longest first."""
        found = []
        for path in self.path.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime_ns, path, status.st_size))
        return {path: size for _, path, size in sorted(found)}

    def fill(self, identity: str, matrices: Sequence[Shares], pack: Pack) -> list[Vector]:
        """The vectors, and the matrices in their memory: read from the file of that identity, else
        by `pack`, whose work is then kept. What the disk refuses costs one warning."""
        if not self._can_hold(packed_file.size_bytes(matrices)):
            return pack()
        path = self.path / (identity + _SUFFIX)
        found = _read(path, identity, matrices)
        return self._add(path, identity, matrices, pack) if found is None else found

    def _can_hold(self, size: int) -> bool:
        if 0 < self.limit_bytes < size:
            _warn(
                f"packed weights of {size / 2**30:.1f} GiB are not kept: {LIMIT} allows "
                f"{self.limit_bytes / 2**30:.1f}; raise it for a faster start, or 0 keeps none"
            )
        return size <= self.limit_bytes

    def _add(
        self, path: Path, identity: str, matrices: Sequence[Shares], pack: Pack
    ) -> list[Vector]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            draft = Draft.open(path)
        except OSError as error:
            self._warn_of_loss(error)
            return pack()
        with draft:
            found = _read(path, identity, matrices)  # another process may have been faster
            if found is not None:
                return found
            vectors = pack()
            try:
                self._make_room(packed_file.size_bytes(matrices))
                packed_file.write(draft.file, identity, vectors, matrices)
                draft.publish()
            except OSError as error:
                self._warn_of_loss(error)
            return vectors

    def _make_room(self, size: int) -> None:
        Draft.remove_abandoned(self.path)
        sizes = self.sizes()
        total = size + sum(sizes.values())
        for path, freed in sizes.items():
            if total <= self.limit_bytes:
                break
            path.unlink(missing_ok=True)
            total -= freed
        if shutil.disk_usage(self.path).free < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _warn_of_loss(self, error: OSError) -> None:
        _warn(
            f"{self.path}: packed weights are not kept ({error}); every start packs them again. "
            f"Set RAYLM_CACHE_DIR to a writable folder with room, or {LIMIT}=0"
        )


def _read(path: Path, identity: str, matrices: Sequence[Shares]) -> list[Vector] | None:
    try:
        with path.open("rb") as file:
            vectors = packed_file.read(file, identity, matrices)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (DamagedError, OSError) as error:
        _warn(f"{path} cannot be used, {error}; the weights are packed anew")
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):
        os.utime(path)  # used now
    return vectors


def _limit_bytes() -> int:
    text = os.environ.get(LIMIT) or _DEFAULT_GIB
    try:
        gib = float(text)
    except ValueError:
        gib = math.nan
    if not 0 <= gib < 2**30:
        raise ValueError(f"{LIMIT} is {text!r}; it must be a number of GiB, and 0 keeps none")
    return int(gib * 2**30)


@cache
def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=2)
