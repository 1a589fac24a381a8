"""All of a user's data as a zip archive, written while it is read: the JSON document, and the bytes
of the files that it names. One file at a time is in memory."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import structlog

from raylm.core.errors import StoreError
from raylm_apps.gateway.export import export_of
from raylm_apps.gateway.files.uploads import Uploads
from raylm_apps.gateway.store import files
from raylm_apps.gateway.store.files import File

FILES_AT_ONCE = 100
PIECE_BYTES = 1 << 18
NAME_BYTES = 200  # file systems take 255, of which the id needs up to 65
MISSING = "These files could not be read. Export again later, or ask whoever runs the server.\n\n"
logger = structlog.get_logger()


class Pipe:
    """What a ZipFile writes to: it cannot go back, and keeps what was not taken yet."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(data)
        return len(data)

    def flush(self) -> None: ...

    def taken(self) -> Iterator[bytes]:
        written, self._written = self._written, []
        for data in written:
            for start in range(0, len(data), PIECE_BYTES):
                yield data[start : start + PIECE_BYTES]


async def archive_of(uploads: Uploads, user_id: str) -> AsyncIterator[bytes]:
    pipe, missing, now = Pipe(), list[str](), datetime.now(UTC)
    with ZipFile(pipe, "w") as archive:  # type: ignore[call-overload]
        document = _entry("raylm-export.json", now, ZIP_DEFLATED)
        with archive.open(document, "w", force_zip64=True) as entry:
            async for piece in export_of(uploads.database, user_id):
                await asyncio.to_thread(entry.write, piece)
                for part in pipe.taken():
                    yield part
        async for file in _files(uploads, user_id):
            try:
                data = await uploads.read(file)
            except StoreError as error:
                logger.error("a file is missing in an export", file=file.id, error=str(error))
                missing.append(f"{file.id} {file.name}\n")
                continue
            entry_of_file = _entry(entry_name(file), file.created_at, ZIP_STORED)
            await asyncio.to_thread(archive.writestr, entry_of_file, data)
            for part in pipe.taken():
                yield part
        if missing:
            archive.writestr(_entry("missing.txt", now, ZIP_DEFLATED), MISSING + "".join(missing))
    for part in pipe.taken():
        yield part


async def _files(uploads: Uploads, user_id: str) -> AsyncIterator[File]:
    last_id = ""
    while True:
        async with uploads.database.connection() as connection:
            found = await files.after(connection, user_id, last_id, FILES_AT_ONCE)
        if not found:
            return
        for file in found:
            yield file
        last_id = found[-1].id


def entry_name(file: File) -> str:
    """Unpacked anywhere: short enough, and without the signs that Windows keeps for itself."""
    name = re.sub(r'[<>:"/\\|?*]', "_", file.name)
    suffix = PurePosixPath(name).suffix[:20]
    stem = name.removesuffix(suffix).encode()[: NAME_BYTES - len(suffix.encode())]
    return f"files/{file.id}-{stem.decode(errors='ignore')}{suffix}".rstrip(". ")


def _entry(name: str, at: datetime, compression: int) -> ZipInfo:
    entry = ZipInfo(name, at.timetuple()[:6])
    entry.compress_type = compression
    return entry
