"""The beginning of an exchange: question and empty answer, committed before anyone is asked."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from raylm_apps.gateway import approval
from raylm_apps.gateway.accounts.session import Session
from raylm_apps.gateway.approval import Decision
from raylm_apps.gateway.conversation import title_of
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.schemas import ChatRequest, UserMessage
from raylm_apps.gateway.store import answers, branches, chats, exchanges, messages, users
from raylm_apps.gateway.store.exchanges import Question, Refusal, RefusedError
from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.store.pool import Database

PATH_LIMIT = 400


@dataclass(frozen=True)
class Exchange:
    path: list[Message]
    """The conversation up to and with the question."""
    answer: Message
    new_title: str | None = None
    """The first question of a chat has given it one."""
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
    refusal: ApiError | None,
) -> Exchange:
    """Raises `refusal`, where there is one, unless this is a repeat; forbidden where the chat is
    another user's, unauthorized where the guest has become an account or the account is gone."""
    title = title_of(_wording(question))
    asked = Question(
        question.id,
        [part.model_dump(by_alias=True) for part in question.parts],
        sorted({file.url.rpartition("/")[2] for file in question.files}),
        is_retry=request.trigger == "regenerate-message",
    )
    try:
        async with database.connection() as connection:
            stored = await exchanges.begin(
                connection,
                session.user_id,
                request.id,
                asked,
                is_guest=session.is_guest,
                title=title,
                visibility=request.selected_visibility_type,
                answer_id=str(uuid.uuid4()),
                model_id=model_id,
                may_answer=refusal is None,
                path_limit=PATH_LIMIT,
            )
    except RefusedError as error:
        if error.refusal is Refusal.NOT_ALLOWED and refusal is not None:
            raise refusal from None
        raise _REFUSALS[error.refusal](question.id) from None
    new_title = title if stored.is_new_chat else None
    return Exchange(stored.path, stored.answer, new_title, is_repeat=stored.is_repeat)


_REFUSALS: dict[Refusal, Callable[[str], ApiError]] = {
    Refusal.NOT_A_QUESTION: lambda id_: ApiError("bad_request:api", f"message {id_} is an answer"),
    Refusal.ASKER_GONE: lambda _: ApiError("unauthorized:chat", users.GONE),
    Refusal.NOT_OWN_CHAT: lambda _: ApiError("forbidden:chat"),
    Refusal.FILE_GONE: lambda _: ApiError(
        "bad_request:api", "a file of the message was deleted a moment ago"
    ),
}


async def continue_exchange(
    database: Database,
    user_id: str,
    chat_id: str,
    message_id: str,
    decisions: Mapping[str, Decision],
    *,
    refusal: ApiError | None,
) -> Exchange:
    """An answer that waited for approval goes on: once, however often the decision is posted.

    Raises forbidden, not_found, bad_request where nothing waits for these decisions, and `refusal`,
    where there is one, unless this is a repeat.
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
            if refusal is not None:
                raise refusal
            parts = approval.decide(answer.parts, decisions)
            answer = await answers.reopen(connection, chat_id, message_id, parts)
    return Exchange(path[:-1], answer, is_repeat=not waiting, decided_calls=decided)


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
