"""A question with the empty answer to it, stored in one round trip."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import asyncpg

from raylm_apps.gateway.store.chats import Visibility
from raylm_apps.gateway.store.messages import Message, Part, message_of_json
from raylm_apps.gateway.store.pool import Connection


class Refusal(StrEnum):
    """Why there is no exchange; the codes are those which `begin_exchange` raises."""

    NOT_A_QUESTION = "RL400"
    ASKER_GONE = "RL401"
    NOT_OWN_CHAT = "RL403"
    FILE_GONE = "RL404"
    NOT_ALLOWED = "RL429"


class RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal


@dataclass(frozen=True)
class Question:
    id: str
    parts: list[Part]
    file_ids: Sequence[str]
    is_retry: bool
    """Another answer is wanted; otherwise a question that is posted again has its answer."""


@dataclass(frozen=True)
class Stored:
    is_new_chat: bool
    is_repeat: bool
    answer: Message
    path: list[Message]
    """The conversation up to and with the question."""


async def begin(
    connection: Connection,
    user_id: str,
    chat_id: str,
    question: Question,
    *,
    is_guest: bool,
    title: str,
    visibility: Visibility,
    answer_id: str,
    model_id: str,
    may_answer: bool,
    path_limit: int,
) -> Stored:
    """Title and visibility are a new chat's. Raises RefusedError, and stores nothing then."""
    try:
        row = await connection.fetchrow(
            "select * from begin_exchange($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            user_id,
            is_guest,
            chat_id,
            title,
            visibility,
            question.id,
            question.parts,
            question.file_ids,
            question.is_retry,
            answer_id,
            model_id,
            may_answer,
            path_limit,
        )
    except asyncpg.PostgresError as error:
        if error.sqlstate in set(Refusal):
            raise RefusedError(Refusal(error.sqlstate)) from None
        raise
    assert row is not None
    path = [message_of_json(message) for message in row["path"]]
    answer = message_of_json(row["answer"])
    return Stored(row["is_new_chat"], row["is_repeat"], answer, path)
