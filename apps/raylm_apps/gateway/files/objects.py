"""Where the bytes lie: a folder or any store that fsspec reaches, S3-compatible ones above all."""

import asyncio
import errno
import os
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from raylm.core.errors import ConfigError, StoreError

CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 3, 30
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
T = TypeVar("T")


class StorageFullError(StoreError):
    """The disk or the quota has no room for another object."""


class ObjectStore:
    """Objects are written once under a fresh key, so that a half-written one is never read.

    Every method raises StoreError while the store cannot be reached.
    """

    def __init__(self, url: str, *, endpoint: str | None = None) -> None:
        """Raises ConfigError where nothing that is installed understands the URL."""
        try:
            self._files, self._root = url_to_fs(url, **_options(url, endpoint))
        except (ImportError, ValueError) as error:
            remedy = "; pip install 'raylm[s3]'" if url.startswith("s3://") else ""
            raise ConfigError(f"RAYLM_FILES_URL {url!r}: {error}{remedy}") from error

    async def put(self, key: str, data: bytes) -> None:
        await _outages(asyncio.to_thread(self._put, self._path(key), data))

    async def get(self, key: str) -> bytes:
        found: bytes = await _outages(asyncio.to_thread(self._files.cat_file, self._path(key)))
        return found

    async def delete(self, key: str) -> None:
        """Whether or not there is one."""
        await _outages(asyncio.to_thread(self._delete, self._path(key)))

    def _put(self, path: str, data: bytes) -> None:
        if not isinstance(self._files, LocalFileSystem):
            self._files.pipe_file(path, data)
            return
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with Path(path).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # its row is committed next, and must not outlive it
        except OSError:
            Path(path).unlink(missing_ok=True)  # a full disk needs the room at once
            raise

    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(path)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key}"


async def _outages(call: Awaitable[T]) -> T:
    """The backends' errors have no class in common."""
    try:
        return await call
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise StorageFullError(f"the file store is full: {error}") from error
        raise StoreError(f"the file store does not answer: {error}") from error


def _options(url: str, endpoint: str | None) -> dict[str, Any]:
    if not url.startswith("s3://"):
        return {}
    return {
        "skip_instance_cache": True,
        "use_listings_cache": False,
        "client_kwargs": {"endpoint_url": endpoint} if endpoint else {},
        "config_kwargs": {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": READ_TIMEOUT_S,
            "retries": {"max_attempts": 2},
        },
    }
