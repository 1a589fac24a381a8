"""A chat's messages: reading a branch, and cutting from it.

Ids of messages are unique within a chat only: who leaves out `chatId` means the only one of their
own chats that has such a message.
"""

from typing import Annotated

from fastapi import APIRouter, Query

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.auth import MaybeUser, SignedIn
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.generation import metadata_of
from raylm_apps.gateway.routes.access import own_chat
from raylm_apps.gateway.services import Gateway, Services
from raylm_apps.gateway.stopping import stop_answer
from raylm_apps.gateway.store import branches, chats, messages
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.messages import Message, Status
from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.wire.base import Id, MessageId, Wire
from raylm_apps.gateway.wire.message import MessagesView, MessageView

MOST = 10_000
router = APIRouter(prefix="/api/messages", tags=["messages"])
OfChat = Annotated[Id | None, Query(alias="chatId", description="needed where ids repeat")]


class CutView(Wire):
    deleted_ids: list[str]


@router.get("")
async def read(
    gateway: Gateway,
    session: MaybeUser,
    chat_id: Annotated[Id, Query(alias="chatId")],
    leaf: Annotated[MessageId | None, Query(description="the branch through this one")] = None,
    before: Annotated[MessageId | None, Query(description="messages earlier than this")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = MOST,
) -> MessagesView:
    """The active branch, oldest first. An unknown chat has none: it may be about to begin.

    Other branches are for the chat's owner: what was edited away is not shared.
    """
    reader_id = session.user_id if session else None
    async with gateway.database.connection() as connection:
        found = await chats.find(connection, chat_id, reader_id)
        if found is None:
            return _nothing()
        chat, is_own = found.chat, found.chat.user_id == reader_id
        if not found.is_readable or (leaf and not is_own):
            raise ApiError("forbidden:chat")
        path = await _branch(connection, chat, reader_id, leaf, before, limit)
    in_flight = bool(path) and path[-1].status is Status.STREAMING
    if in_flight and await gateway.recovery.settle_abandoned(chat_id):
        async with gateway.database.connection() as connection:
            path = await _branch(connection, chat, reader_id, leaf, before, limit)
    async with gateway.database.connection() as connection:
        siblings = await branches.siblings(connection, chat_id, path) if is_own else {}
    return MessagesView(
        messages=[_view(message, siblings.get(message.id, [])) for message in path[-limit:]],
        title=chat.title,
        visibility=chat.visibility,
        user_id=chat.user_id,
        is_readonly=not is_own,
        has_more=len(path) > limit,
    )


@router.delete("/{message_id}")
async def delete(
    gateway: Gateway, session: SignedIn, message_id: MessageId, chat_id: OfChat = None
) -> CutView:
    """This message and its vote; what came after it stays, and follows what was before it."""
    chat = await _chat_of(gateway, session.user_id, message_id, chat_id)
    return await _cut(gateway, chat, message_id, [message_id])


@router.post("/{message_id}/truncate")
async def truncate(
    gateway: Gateway, session: SignedIn, message_id: MessageId, chat_id: OfChat = None
) -> CutView:
    """This message and all after it on its branches, with their votes."""
    chat = await _chat_of(gateway, session.user_id, message_id, chat_id)
    async with gateway.database.connection() as connection:
        ids = await branches.below(connection, chat.id, chat.user_id, message_id)
    return await _cut(gateway, chat, message_id, ids)


async def _branch(
    connection: Connection,
    chat: Chat,
    reader_id: str | None,
    leaf: str | None,
    before: str | None,
    limit: int,
) -> list[Message]:
    """One message more than `limit`, where there is one. Raises not_found."""
    if before is not None and chat.user_id == reader_id:
        edge = await _find(connection, chat.id, before)
        if edge.parent_id is None:
            return []
        return await messages.path(
            connection, chat.id, reader_id, leaf_id=edge.parent_id, limit=limit + 1
        )
    leaf_id = await branches.leaf_id(connection, chat.id, leaf or chat.active_id)
    if leaf is not None and leaf_id is None:
        raise ApiError("not_found:message")
    most = limit + 1 if before is None else MOST
    path = await messages.path(connection, chat.id, reader_id, leaf_id=leaf_id, limit=most)
    if before is None:
        return path
    ids = [message.id for message in path]
    if before not in ids:
        raise ApiError("not_found:message")
    return path[: ids.index(before)][-limit - 1 :]


async def _chat_of(gateway: Services, user_id: str, message_id: str, chat_id: str | None) -> Chat:
    """Raises not_found, forbidden, or bad_request where the message may be in several chats."""
    if chat_id is None:
        async with gateway.database.connection() as connection:
            having = await branches.chats_with(connection, message_id, user_id)
        if not having:
            raise ApiError("not_found:message")
        if len(having) > 1:
            raise ApiError("bad_request:message", message_id)
        chat_id = having[0]
    return await own_chat(gateway, chat_id, user_id)


async def _cut(gateway: Services, chat: Chat, message_id: str, ids: list[str]) -> CutView:
    """What is still being written is stopped first. The branch stays the one that is seen."""
    async with gateway.database.connection() as connection:
        first = await _find(connection, chat.id, message_id)
        writing = await branches.streaming(connection, chat.id, chat.user_id, ids)
    for answer_id in writing:
        await stop_answer(gateway, AnswerKey(chat.id, answer_id))
    async with gateway.database.transaction() as connection:
        deleted = await branches.cut(connection, chat.id, chat.user_id, ids)
        await branches.activate(connection, chat.id, chat.user_id, first.parent_id)
    return CutView(deleted_ids=deleted)


async def _find(connection: Connection, chat_id: str, message_id: str) -> Message:
    message = await messages.find(connection, chat_id, message_id)
    if message is None:
        raise ApiError("not_found:message")
    return message


def _view(message: Message, siblings: list[str]) -> MessageView:
    metadata = metadata_of(message)
    if len(siblings) > 1:
        metadata |= {"siblings": siblings, "siblingIndex": siblings.index(message.id)}
    return MessageView(id=message.id, role=message.role, parts=message.parts, metadata=metadata)


def _nothing() -> MessagesView:
    return MessagesView(
        messages=[],
        title=None,
        visibility="private",
        user_id=None,
        is_readonly=False,
        has_more=False,
    )
