"""Documents: versions that are added, changed in place, gone back to and compared."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import MaybeUser, SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import branches, chats, documents, messages, users
from raylm_apps.gateway.store.documents import DocumentLimitError, Draft, Version
from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.text_diff import text_diff
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.document import (
    DiffView,
    DocumentRequest,
    DocumentView,
    Span,
    Timestamp,
)

DocumentId = Annotated[Id, Query(alias="id")]
router = APIRouter(prefix="/api/document", tags=["document"])


@router.get("")
async def read(
    gateway: Gateway,
    session: MaybeUser,
    document_id: DocumentId,
    chat_id: Annotated[
        Id | None, Query(alias="chatId", description="a shared chat that it was written in")
    ] = None,
) -> list[DocumentView]:
    """All versions, oldest first; for who reads it in another's chat, the newest alone."""
    reader_id = session.user_id if session else None
    async with gateway.database.connection() as connection:
        if chat_id and (owner_id := await _shared_by(connection, document_id, chat_id, reader_id)):
            newest = await documents.version(connection, document_id, owner_id)
            return [_view(newest)] if newest else []
        if reader_id is None:
            raise ApiError("unauthorized:chat")
        await _must_own(connection, document_id, reader_id)
        found = await documents.versions(connection, document_id, reader_id)
    return [_view(version) for version in found]


@router.post("")
async def write(
    gateway: Gateway, session: SignedIn, document_id: DocumentId, request: DocumentRequest
) -> list[DocumentView]:
    """A new version, or with `isManualEdit` the newest one changed; it comes back in a list."""
    draft = Draft(request.title, request.kind, request.content)
    try:
        async with gateway.database.transaction() as connection:
            if not await users.ensure(connection, session.user_id, is_guest=session.is_guest):
                raise ApiError("unauthorized:chat", users.GONE)
            edited = await _edited(connection, document_id, session.user_id, request)
            if edited is not None:
                written: Version | None = await documents.amend(connection, edited, draft)
            else:
                written = await documents.add(connection, document_id, session.user_id, draft)
    except DocumentLimitError as error:
        raise ApiError("too_large:document", str(error)) from None
    if written is None:
        raise ApiError("forbidden:document")
    return [_view(written)]


@router.delete("")
async def restore(
    gateway: Gateway, session: SignedIn, document_id: DocumentId, timestamp: Timestamp
) -> list[DocumentView]:
    """Go back to the version of that time: what is newer is deleted, and returned."""
    async with gateway.database.transaction() as connection:
        await _must_own(connection, document_id, session.user_id)
        deleted = await documents.delete_after(connection, document_id, session.user_id, timestamp)
    return [_view(version) for version in deleted]


@router.get("/diff")
async def compare(
    gateway: Gateway,
    session: SignedIn,
    document_id: DocumentId,
    from_: Annotated[Timestamp, Query(alias="from", description="the older version's createdAt")],
    to: Annotated[Timestamp | None, Query(description="default: the newest version")] = None,
) -> DiffView:
    """Word by word."""
    async with gateway.database.connection() as connection:
        await _must_own(connection, document_id, session.user_id)
        old = await documents.version(connection, document_id, session.user_id, from_)
        new = await documents.version(connection, document_id, session.user_id, to)
    if old is None or new is None:
        raise ApiError("not_found:document", "the document has no version of that time")
    spans = await asyncio.to_thread(text_diff, old.content, new.content)
    return DiffView(
        from_=old.created_at,
        to=new.created_at,
        spans=[Span(kind=kind, text=text) for kind, text in spans],
    )


async def _edited(
    connection: Connection, document_id: str, user_id: str, request: DocumentRequest
) -> Version | None:
    """The version that a manual edit changes in place, locked; None where there is none."""
    if not request.is_manual_edit or not await documents.lock(connection, document_id, user_id):
        return None
    newest = await documents.version(connection, document_id, user_id)
    has_moved = request.edited_version not in (None, newest.created_at if newest else None)
    return None if has_moved else newest


async def _shared_by(
    connection: Connection, document_id: str, chat_id: str, reader_id: str | None
) -> str | None:
    """The document's owner, where their chat shows it to others: on its active branch."""
    owner_id = await documents.owner(connection, document_id)
    found = await chats.find(connection, chat_id, reader_id)
    if owner_id in (None, reader_id) or found is None or found.chat.user_id != owner_id:
        return None
    leaf_id = await branches.leaf_id(connection, chat_id, found.chat.active_id)
    path = await messages.path(connection, chat_id, reader_id, leaf_id=leaf_id)
    is_shown = any(_shows(part, document_id) for message in path for part in message.parts)
    return owner_id if is_shown else None


def _shows(part: messages.Part, document_id: str) -> bool:
    output = part.get("output") if part["type"].startswith("tool-") else None
    return isinstance(output, dict) and output.get("id") == document_id


async def _must_own(connection: Connection, document_id: str, user_id: str) -> None:
    owner = await documents.owner(connection, document_id)
    if owner is None:
        raise ApiError("not_found:document")
    if owner != user_id:
        raise ApiError("forbidden:document")


def _view(version: Version) -> DocumentView:
    return DocumentView(**vars(version))
