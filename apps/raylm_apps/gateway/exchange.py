"""The beginning of an exchange: question and empty answer, committed before anyone is asked."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.conversation import title_of
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.schemas import ChatRequest, UserMessage
from raylm_apps.gateway.store import branches, chats, messages, users
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.store.pool import Connection, Database

PATH_LIMIT = 400


@dataclass(frozen=True)
class Exchange:
    chat: Chat
    path: list[Message]
    """The conversation up to and with the question."""
    answer: Message
    is_new_chat: bool = False
    is_repeat: bool = False
    """The client has posted this question before; its answer exists."""


async def begin_exchange(
    database: Database,
    session: Session,
    request: ChatRequest,
    question: UserMessage,
    model_id: str,
    *,
    admit: Callable[[], Awaitable[None]],
) -> Exchange:
    """One transaction. Raises forbidden where the chat is another user's, unauthorized where the
    guest has become an account or the account is gone, and whatever `admit` does, which a repeat
    does not ask."""
    user_id = session.user_id
    async with database.transaction() as connection:
        if not await users.ensure(connection, user_id, is_guest=session.is_guest):
            raise ApiError("unauthorized:chat", users.GONE)
        title, visibility = title_of(question.text), request.selected_visibility_type
        found = await chats.ensure(connection, request.id, user_id, title, visibility)
        if found is None:
            raise ApiError("forbidden:chat")
        chat, is_new = found
        fresh = await _store_question(connection, chat, request, question)
        path = await messages.path(
            connection, chat.id, user_id, leaf_id=question.id, limit=PATH_LIMIT
        )
        if not fresh and request.trigger == "submit-message":
            answer = await messages.answer_to(connection, chat.id, question.id)
            if answer is not None:
                return Exchange(chat, path, answer, is_repeat=True)
        await admit()
        answer = await messages.add_answer(
            connection, chat.id, str(uuid.uuid4()), question.id, model_id
        )
        if chat.active_id is not None:  # the newest branch is the one to see, from here on
            await branches.activate(connection, chat.id, user_id, None)
    return Exchange(chat, path, answer, is_new_chat=is_new)


async def _store_question(
    connection: Connection, chat: Chat, request: ChatRequest, question: UserMessage
) -> bool:
    """Whether the question is new; an edited one replaces the old, which keeps its answers."""
    parts = [part.model_dump() for part in question.parts]
    leaf_id = await branches.leaf_id(connection, chat.id, chat.active_id)
    if await messages.add_question(connection, chat.id, question.id, leaf_id, parts):
        return True
    old = await messages.find(connection, chat.id, question.id)
    assert old is not None
    if old.role != "user":
        raise ApiError("bad_request:api", f"message {question.id} is an answer")
    if request.trigger == "regenerate-message" or old.parts == parts:
        return False
    await messages.retire(connection, chat.id, question.id)
    return await messages.add_question(connection, chat.id, question.id, old.parent_id, parts)
