"""A user's chats, newest first, a page at a time; all of them, or those with some words."""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import answers, chats, history, search
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.store.search import Hit
from raylm_apps.gateway.wire.base import Id
from raylm_apps.gateway.wire.chat import chat_view
from raylm_apps.gateway.wire.history import AnsweringView, HistoryView, ListedChatView, PieceView

router = APIRouter(prefix="/api/history", tags=["history"])
FolderFilter = Annotated[str | None, Query(pattern=r"^(none|[A-Za-z0-9_-]{8,64})$")]


@router.get("")
async def page(
    gateway: Gateway,
    session: SignedIn,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[Id | None, Query(description="chats newer than this one")] = None,
    ending_before: Annotated[Id | None, Query(description="chats older than this one")] = None,
    q: Annotated[str, Query(max_length=200, description="words of messages, parts of titles")] = "",
    folder: Annotated[FolderFilter, Query(description="a folder's id, or none")] = None,
    archived: Annotated[bool, Query(description="these, or the others")] = False,
) -> HistoryView:
    """`q` as in web searches: words, "a phrase", or, -not; the last word may be a beginning.

    Chats whose titles have the words come first, then those whose messages have.
    """
    if starting_after is not None and ending_before is not None:
        raise ApiError("bad_request:api", "starting_after or ending_before, not both")
    words = q.replace("\x00", "").lstrip()  # a space at the end ends the last word
    async with gateway.database.connection() as connection:
        shelf = Shelf(
            session.user_id,
            archived,
            folder,
            newer_than=await _cursor(connection, session.user_id, starting_after),
            older_than=await _cursor(connection, session.user_id, ending_before),
        )
        if words:
            hits = await search.page(connection, shelf, words, limit + 1)
        else:
            hits = [Hit(chat, None) for chat in await history.page(connection, shelf, limit + 1)]
    return HistoryView(chats=[_view(hit) for hit in hits[:limit]], has_more=len(hits) > limit)


@router.get("/answering")
async def answering(gateway: Gateway, session: SignedIn) -> AnsweringView:
    """The chats in which an answer is being written, wherever it was asked for."""
    async with gateway.database.connection() as connection:
        streaming = await answers.streaming_for(connection, session.user_id)
    return AnsweringView(chat_ids=sorted({chat_id for chat_id, _ in streaming}))


@router.delete("")
async def delete_all(gateway: Gateway, session: SignedIn) -> dict[str, int]:
    async with gateway.database.connection() as connection:
        deleted = await chats.delete_all(connection, session.user_id)
    await gateway.generations.stop_chats(set(deleted))
    return {"deletedCount": len(deleted)}


async def _cursor(connection: Connection, user_id: str, chat_id: str | None) -> Chat | None:
    if chat_id is None:
        return None
    found = await chats.find(connection, chat_id, user_id)
    if found is None or found.chat.user_id != user_id:
        raise ApiError("not_found:history")
    return found.chat


def _view(hit: Hit) -> ListedChatView:
    snippet = hit.snippet
    return ListedChatView(
        **vars(chat_view(hit.chat)),
        snippet=None if snippet is None else [PieceView(**vars(piece)) for piece in snippet],
    )
