"""The life of an upload: looked at, kept, handed out, and taken away when nothing needs it."""

import asyncio
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from raylm.core.errors import StoreError
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError, FileError
from raylm_apps.gateway.files.extraction import MAX_TEXT_CHARS, Extractor
from raylm_apps.gateway.files.kinds import PDF, Kind, UnacceptableError, kind_of
from raylm_apps.gateway.files.objects import ObjectStore, StorageFullError
from raylm_apps.gateway.settings import Settings
from raylm_apps.gateway.store import files, users
from raylm_apps.gateway.store.files import File, Usage
from raylm_apps.gateway.store.pool import Connection, Database

NAME_CHARS = 200
SWEEP_BATCH = 100
logger = structlog.get_logger()


@dataclass(frozen=True)
class Uploads:
    settings: Settings
    database: Database
    objects: ObjectStore
    extractor: Extractor
    count: Callable[[str, int], None]
    """Told the content type and the size of whatever is kept."""
    on_outage: Callable[[], None] = lambda: None

    async def keep(
        self, session: Session, name: str, data: bytes, file_id: str | None = None
    ) -> File:
        """Raises FileError, or unauthorized where the user is gone.

        The row follows the object, whose key is known before it is written.
        """
        self._check_size(data)
        try:
            kind = kind_of(data, name, max_pixels=self.settings.max_image_pixels)
        except UnacceptableError as error:
            raise FileError("bad_request:file", str(error)) from error
        file = File(
            id=file_id or secrets.token_hex(16),
            user_id=session.user_id,
            name=display_name(name),
            content_type=kind.content_type,
            size_bytes=len(data),
            object_key=secrets.token_hex(16),
            created_at=datetime.now(UTC),
        )
        async with self.database.transaction() as connection:
            if not await users.ensure(connection, session.user_id, is_guest=session.is_guest):
                raise ApiError("unauthorized:chat", users.GONE)
            await self._check_quota(connection, file)
            await files.announce_object(connection, file.object_key)
        text = await self._text_of(kind, data)
        try:
            await self.objects.put(file.object_key, data)
        except StorageFullError as error:
            self.on_outage()
            logger.error("the file store is full", error=str(error))
            raise FileError("storage_full:file") from error
        async with self.database.transaction() as connection:
            await self._check_quota(connection, file)
            if await files.add(connection, file, text):
                self.count(file.content_type, file.size_bytes)
        return file

    async def read(self, file: File) -> bytes:
        return await self.objects.get(file.object_key)

    async def remove(self, user_id: str, file_id: str) -> File:
        """Raises FileError. Messages that held it hold its name from now on."""
        async with self.database.connection() as connection:
            file = await files.delete(connection, user_id, file_id)
        if file is None:
            raise FileError("not_found:file")
        await self.sweep_objects()
        return file

    async def sweep(self) -> None:
        settings = self.settings
        async with self.database.connection() as connection:
            await files.delete_unneeded(
                connection, settings.files_keep_unsent_s, settings.files_keep_sent_s
            )
        while await self.sweep_objects() == SWEEP_BATCH:
            pass

    async def sweep_objects(self) -> int:
        """How many objects that belong to no file are gone; what cannot be deleted stays known."""
        async with self.database.transaction() as connection:
            keys = await files.due_objects(connection, SWEEP_BATCH)
            gone = [key for key in keys if await self._is_gone(key)]
            await files.forget_objects(connection, gone)
        return len(gone)

    async def sweep_every(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.sweep()
            except StoreError as error:
                logger.warning("no sweep for unneeded files", error=str(error))

    async def _is_gone(self, object_key: str) -> bool:
        try:
            await self.objects.delete(object_key)
        except StoreError as error:
            logger.warning("an object stays for now", key=object_key, error=str(error))
            return False
        return True

    async def _text_of(self, kind: Kind, data: bytes) -> str | None:
        if kind.content_type == PDF:
            return await self.extractor.text_of(data)
        return None if kind.text is None else kind.text[:MAX_TEXT_CHARS]

    def _check_size(self, data: bytes) -> None:
        limit = self.settings.max_file_bytes
        if len(data) > limit:
            raise FileError("too_large:file", f"{len(data)} bytes; at most {limit}")

    async def _check_quota(self, connection: Connection, file: File) -> None:
        if self.settings.limits == "off":
            return
        used = await files.usage(connection, file.user_id)
        if reason := over_quota(used, file.size_bytes, self.settings):
            raise FileError("rate_limit:file", reason)


def over_quota(used: Usage, size_bytes: int, settings: Settings) -> str | None:
    """Why one more file of that size is too much for its user."""
    if used.files >= settings.max_files_per_user:
        return f"you keep {used.files} files; at most {settings.max_files_per_user}"
    if used.size_bytes + size_bytes > settings.max_file_bytes_per_user:
        return f"your files would exceed {settings.max_file_bytes_per_user} bytes"
    return None


def display_name(name: str) -> str:
    """For people and models to read; it is no part of any path."""
    last = re.split(r"[/\\]", name)[-1]
    printable = "".join(letter for letter in last if letter.isprintable())
    return printable.strip()[:NAME_CHARS] or "file"
