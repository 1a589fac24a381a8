"""What a model draws is kept like an upload of whoever asked for it, and belongs to the answer."""

from dataclasses import dataclass
from mimetypes import guess_extension
from typing import Any

import structlog

from raylm.core.errors import StoreError
from raylm.core.wire.events import GeneratedFile
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.files.uploads import Uploads
from raylm_apps.gateway.store import files
from raylm_apps.gateway.ui_message import file_part, notice_part

LOST = "The model made a file that could not be kept."
logger = structlog.get_logger()


@dataclass(frozen=True)
class GeneratedFiles:
    uploads: Uploads
    session: Session
    key: AnswerKey

    async def keep(self, made: GeneratedFile) -> dict[str, Any]:
        """The part that shows it, or says that it is lost: the answer goes on without."""
        name = f"generated{guess_extension(made.media_type) or ''}"
        try:
            file = await self.uploads.keep(self.session, name, made.data)
            async with self.uploads.database.connection() as connection:
                await files.attach(connection, file, *self.key)
        except (ApiError, StoreError) as error:
            logger.warning("a generated file is lost", key=self.key.stream, error=str(error))
            return notice_part("file-lost", LOST)
        return file_part(file.content_type, file.url)
