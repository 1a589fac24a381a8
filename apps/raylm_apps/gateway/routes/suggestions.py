"""What the model would change in a document, until the user has decided."""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import documents, suggestions
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.document import SuggestionPatch, SuggestionView

router = APIRouter(prefix="/api/suggestions", tags=["document"])


@router.get("")
async def read(
    gateway: Gateway, session: SignedIn, document_id: Annotated[Id, Query(alias="documentId")]
) -> list[SuggestionView]:
    """Those of all versions; none for an unknown document, which may be about to begin."""
    async with gateway.database.connection() as connection:
        if await documents.owner(connection, document_id) not in (None, session.user_id):
            raise ApiError("forbidden:suggestions")
        found = await suggestions.of_document(connection, document_id, session.user_id)
    return [SuggestionView.of(suggestion) for suggestion in found]


@router.patch("/{suggestion_id}")
async def settle(
    gateway: Gateway, session: SignedIn, suggestion_id: Id, patch: SuggestionPatch
) -> SuggestionView:
    """`resolved` once the page has applied it, `dismissed`, or `open` again."""
    async with gateway.database.connection() as connection:
        owner = await suggestions.owner(connection, suggestion_id)
        if owner not in (None, session.user_id):
            raise ApiError("forbidden:suggestions")
        settled = await suggestions.settle(connection, suggestion_id, session.user_id, patch.status)
    if settled is None:
        raise ApiError("not_found:suggestions")
    return SuggestionView.of(settled)
