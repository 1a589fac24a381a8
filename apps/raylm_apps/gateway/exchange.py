"""The beginning of an exchange: question and empty answer, committed before anyone is asked."""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from raylm_apps.gateway import approval
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.approval import Decision
from raylm_apps.gateway.conversation import title_of
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.store import answers, branches, chats, files, messages, users
from raylm_apps.gateway.store.chats import Chat
from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.store.pool import Connection, Database
from raylm_apps.gateway.wire.message import UserMessage
from raylm_apps.gateway.wire.question import ChatRequest

PATH_LIMIT = 400


@dataclass(frozen=True)
class Exchange:
    chat: Chat
    path: list[Message]
    """The conversation up to and with the question."""
    answer: Message
    is_new_chat: bool = False
    is_repeat: bool = False
    """The client has posted this question, or decision, before; its answer exists."""
    decided_calls: set[str] = field(default_factory=set)
    """Where the answer goes on: the calls that it waited with."""


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
        title, visibility = title_of(_wording(question)), request.selected_visibility_type
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


async def continue_exchange(
    database: Database,
    user_id: str,
    chat_id: str,
    message_id: str,
    decisions: Mapping[str, Decision],
    *,
    admit: Callable[[], Awaitable[None]],
) -> Exchange:
    """An answer that waited for approval goes on: once, however often the decision is posted.

    Raises forbidden, not_found, bad_request where nothing waits for these decisions, and whatever
    `admit` does, which a repeat does not ask.
    """
    async with database.transaction() as connection:
        found = await chats.find(connection, chat_id, user_id)
        if found is None:
            raise ApiError("not_found:chat")
        chat = found.chat
        if chat.user_id != user_id:
            raise ApiError("forbidden:chat")
        answer = await answers.lock(connection, chat_id, message_id)
        calls = approval.known(answer.parts) if answer else {}
        if answer is None or not decisions.keys() & calls.keys():
            raise ApiError("bad_request:api", f"no call of message {message_id} waits for this")
        path = await messages.path(
            connection, chat_id, user_id, leaf_id=answer.id, limit=PATH_LIMIT + 1
        )
        decided = {calls[name] for name in decisions.keys() & calls.keys()}
        waiting = approval.pending(answer.parts)
        if waiting:
            newest_id = await branches.leaf_id(connection, chat_id, chat.active_id)
            _require_whole(waiting, decisions, is_newest=newest_id == answer.id)
            await admit()
            parts = approval.decide(answer.parts, decisions)
            answer = await answers.reopen(connection, chat_id, message_id, parts)
    return Exchange(chat, path[:-1], answer, is_repeat=not waiting, decided_calls=decided)


def _require_whole(
    waiting: set[str], decisions: Mapping[str, Decision], *, is_newest: bool
) -> None:
    if not is_newest:
        raise ApiError("bad_request:api", "the chat has gone on; ask the question again")
    if missing := waiting - decisions.keys():
        raise ApiError("bad_request:api", f"allow or deny every call; {min(missing)} is missing")


def _wording(question: UserMessage) -> str:
    """What a title is made of; of a picture without a word, its name."""
    return question.text.strip() or question.files[0].filename


async def _store_question(
    connection: Connection, chat: Chat, request: ChatRequest, question: UserMessage
) -> bool:
    """Whether the question is new; an edited one replaces the old, which keeps its answers."""
    parts = [part.model_dump(by_alias=True) for part in question.parts]
    leaf_id = await branches.leaf_id(connection, chat.id, chat.active_id)
    if await messages.add_question(connection, chat.id, question.id, leaf_id, parts):
        await _attach_files(connection, chat, question)
        return True
    old = await messages.find(connection, chat.id, question.id)
    assert old is not None
    if old.role != "user":
        raise ApiError("bad_request:api", f"message {question.id} is an answer")
    if request.trigger == "regenerate-message" or old.parts == parts:
        return False
    await messages.retire(connection, chat.id, question.id)
    added = await messages.add_question(connection, chat.id, question.id, old.parent_id, parts)
    await _attach_files(connection, chat, question)
    return added


async def _attach_files(connection: Connection, chat: Chat, question: UserMessage) -> None:
    ids = [file.url.rpartition("/")[2] for file in question.files]
    if ids and not await files.attach(connection, chat.user_id, chat.id, question.id, ids):
        raise ApiError("bad_request:api", "a file of the message was deleted a moment ago")
