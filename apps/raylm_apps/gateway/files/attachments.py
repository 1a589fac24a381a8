"""Files in a conversation: from what a client posts to what a model is shown."""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from raylm.core.errors import StoreError
from raylm.core.wire.prompt import Image
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.files.kinds import RASTER
from raylm_apps.gateway.files.uploads import Uploads
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.store import files
from raylm_apps.gateway.store.files import File
from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.wire.message import FilePart, UserMessage

SHOWN_IMAGES = 8
"""Of a conversation, the newest; each goes over the wire with every question."""
logger = structlog.get_logger()
_OWN_URL = re.compile(r"/api/files/([0-9a-f]{32})")
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,([A-Za-z0-9+/=]*)")


@dataclass(frozen=True)
class Attachments:
    """What the files of a conversation are to one model, by their ids."""

    texts: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    sees_images: bool = False

    def text_of(self, message: Message, room: int) -> str:
        """The message's text behind what its files say, which shares the room that is left."""
        parts = _file_parts(message)
        if not parts:
            return message.text
        share = max(0, room - len(message.text)) // len(parts)
        told = [said for part in parts if (said := self._told(part, share))]
        return "\n\n".join([*told, message.text] if message.text else told)

    def images_of(self, message: Message) -> tuple[Image, ...]:
        ids = map(_id_of, _file_parts(message))
        return tuple(self.images[file_id] for file_id in ids if file_id in self.images)

    def _told(self, part: dict[str, Any], room: int) -> str:
        file_id, name = _id_of(part), re.sub(r'[<>"\[\]]', "_", part["filename"])
        if file_id in self.images:
            return ""
        if part["mediaType"] in RASTER:
            why = "not shown again" if self.sees_images else "this model cannot see images"
            return f"[image {name}: {why}]"
        text = self.texts.get(file_id)
        if not text:
            return f"[file {name}: {'deleted' if text is None else 'no text can be read in it'}]"
        cut = "\n[the rest is left out]" if len(text) > room else ""
        return f'<file name="{name}">\n{text[:room]}{cut}\n</file>'


async def settle_files(uploads: Uploads, session: Session, question: UserMessage) -> UserMessage:
    """The question with its files as we know them; what comes as data is kept like an upload.

    Nothing is ever fetched: an address that is not of the user's own uploads is refused.
    """
    posted = question.files
    limit = uploads.settings.max_files_per_message
    if len(posted) > limit:
        raise ApiError("bad_request:api", f"the message has {len(posted)} files; at most {limit}")
    if not posted:
        return question
    ids = {part.url: match[1] for part in posted if (match := _OWN_URL.fullmatch(part.url))}
    async with uploads.database.connection() as connection:
        own = await files.of_user(connection, session.user_id, list(ids.values()))
    known = {url: own[file_id] for url, file_id in ids.items() if file_id in own}
    for part in posted:
        if part.url.startswith("data:") and part.url not in known:
            known[part.url] = await _keep_data(uploads, session, part)
        elif part.url not in known:
            raise ApiError(
                "bad_request:api",
                f"{part.url[:100]!r} is no file of yours; upload it to /api/files/upload",
            )
    parts = [
        part_of(known[part.url]) if isinstance(part, FilePart) else part for part in question.parts
    ]
    return question.model_copy(update={"parts": parts})


def part_of(file: File) -> FilePart:
    return FilePart(type="file", media_type=file.content_type, filename=file.name, url=file.url)


async def _keep_data(uploads: Uploads, session: Session, part: FilePart) -> File:
    """The same data in the same user's hands is the same file: a question may be posted twice."""
    match = _DATA_URL.fullmatch(part.url)
    try:
        data = base64.b64decode(match[1] if match else "!", validate=True)
    except binascii.Error:
        raise ApiError("bad_request:api", "a data: URL of a file must be base64") from None
    file_id = hashlib.sha256(f"{session.user_id}\0".encode() + data).hexdigest()[:32]
    async with uploads.database.connection() as connection:
        found = await files.of_user(connection, session.user_id, [file_id])
    return found.get(file_id) or await uploads.keep(session, part.filename, data, file_id)


async def load_attachments(
    uploads: Uploads, user_id: str, path: Sequence[Message], model: ModelCard
) -> Attachments:
    """Texts for every model, images for one that sees them."""
    asked = [message for message in path if message.role == "user"]
    parts = [part for message in asked for part in _file_parts(message)]
    if not parts:
        return Attachments()
    readable = [_id_of(part) for part in parts if part["mediaType"] not in RASTER]
    seen = [_id_of(part) for part in parts if part["mediaType"] in RASTER] if model.vision else []
    async with uploads.database.connection() as connection:
        texts = await files.texts(connection, user_id, readable)
        shown = await files.of_user(connection, user_id, seen[-SHOWN_IMAGES:])
    images: dict[str, Image] = {}
    for file in shown.values():
        try:
            images[file.id] = Image(file.content_type, await uploads.read(file))
        except StoreError as error:
            logger.error("an image cannot be shown to the model", id=file.id, error=str(error))
    return Attachments(texts, images, sees_images=model.vision)


def _file_parts(message: Message) -> list[dict[str, Any]]:
    return [part for part in message.parts if part["type"] == "file"]


def _id_of(part: dict[str, Any]) -> str:
    return str(part["url"]).rpartition("/")[2]
