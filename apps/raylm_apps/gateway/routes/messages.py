"""A chat's messages."""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.auth import MaybeUser
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.generation import metadata_of
from raylm_apps.gateway.schemas import Id, MessagesView, MessageView
from raylm_apps.gateway.services import Gateway
from raylm_apps.gateway.store import chats, messages
from raylm_apps.gateway.store.messages import Message, Status

router = APIRouter(prefix="/api/messages", tags=["messages"])


@router.get("")
async def read(
    gateway: Gateway, session: MaybeUser, chat_id: Annotated[Id, Query(alias="chatId")]
) -> MessagesView:
    """The newest branch, oldest first. An unknown chat has none: it may be about to begin."""
    user_id = session.user_id if session else None
    async with gateway.database.connection() as connection:
        chat = await chats.find(connection, chat_id)
        if chat is None:
            return MessagesView(
                messages=[], title=None, visibility="private", user_id=None, is_readonly=False
            )
        if not chat.readable_by(user_id):
            raise ApiError("forbidden:chat")
        path = await messages.path(connection, chat_id, user_id)
    in_flight = bool(path) and path[-1].status is Status.STREAMING
    if in_flight and await gateway.recovery.settle_abandoned(chat_id):
        async with gateway.database.connection() as connection:
            path = await messages.path(connection, chat_id, user_id)
    return MessagesView(
        messages=[_view(message) for message in path],
        title=chat.title,
        visibility=chat.visibility,
        user_id=chat.user_id,
        is_readonly=chat.user_id != user_id,
    )


def _view(message: Message) -> MessageView:
    return MessageView(
        id=message.id, role=message.role, parts=message.parts, metadata=metadata_of(message)
    )
