"""A user's chats, newest first, a page at a time."""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.schemas import ChatView, HistoryView, Id
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import chats
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.pool import Connection

router = APIRouter(prefix="/api/history", tags=["history"])


@router.get("")
async def page(
    gateway: Gateway,
    session: SignedIn,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    starting_after: Annotated[Id | None, Query(description="chats newer than this one")] = None,
    ending_before: Annotated[Id | None, Query(description="chats older than this one")] = None,
) -> HistoryView:
    if starting_after is not None and ending_before is not None:
        raise ApiError("bad_request:api", "starting_after or ending_before, not both")
    async with gateway.database.connection() as connection:
        found = await chats.page(
            connection,
            session.user_id,
            limit + 1,
            newer_than=await _cursor(connection, session.user_id, starting_after),
            older_than=await _cursor(connection, session.user_id, ending_before),
        )
    return HistoryView(
        chats=[ChatView(**vars(chat)) for chat in found[:limit]], has_more=len(found) > limit
    )


@router.delete("")
async def delete_all(gateway: Gateway, session: SignedIn) -> dict[str, int]:
    async with gateway.database.connection() as connection:
        deleted = await chats.delete_all(connection, session.user_id)
    await gateway.generations.stop_chats(set(deleted))
    return {"deletedCount": len(deleted)}


async def _cursor(connection: Connection, user_id: str, chat_id: str | None) -> Chat | None:
    if chat_id is None:
        return None
    chat = await chats.find(connection, chat_id)
    if chat is None or chat.user_id != user_id:
        raise ApiError("not_found:history")
    return chat
