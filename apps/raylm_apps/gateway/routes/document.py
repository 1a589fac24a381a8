"""Documents: versions that are added, changed in place, gone back to and compared."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import documents, users
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
async def read(gateway: Gateway, session: SignedIn, document_id: DocumentId) -> list[DocumentView]:
    """All versions, oldest first."""
    async with gateway.database.connection() as connection:
        await _must_own(connection, document_id, session.user_id)
        found = await documents.versions(connection, document_id, session.user_id)
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


async def _must_own(connection: Connection, document_id: str, user_id: str) -> None:
    owner = await documents.owner(connection, document_id)
    if owner is None:
        raise ApiError("not_found:document")
    if owner != user_id:
        raise ApiError("forbidden:document")


def _view(version: Version) -> DocumentView:
    return DocumentView(**vars(version))
