"""Suggestions for a version of a document. Every query names the user it is for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from raylm_apps.gateway.store.pool import Connection, Row

SuggestionStatus = Literal["open", "resolved", "dismissed"]


@dataclass(frozen=True)
class Suggestion:
    id: str
    document_id: str
    document_created_at: datetime
    user_id: str
    original_text: str
    suggested_text: str
    description: str
    status: SuggestionStatus
    created_at: datetime


def _suggestion(row: Row) -> Suggestion:
    return Suggestion(**{name: row[name] for name in Suggestion.__dataclass_fields__})


async def of_document(connection: Connection, document_id: str, user_id: str) -> list[Suggestion]:
    """Of all its versions, in the order in which they were made."""
    rows = await connection.fetch(
        """select s.* from suggestions s join documents d on d.id = s.document_id
           where d.id = $1 and d.user_id = $2 and s.user_id = $2 order by s.seq""",
        document_id,
        user_id,
    )
    return [_suggestion(row) for row in rows]


async def add(
    connection: Connection,
    suggestion_id: str,
    document_id: str,
    document_created_at: datetime,
    user_id: str,
    original_text: str,
    suggested_text: str,
    description: str,
) -> Suggestion | None:
    """None where the user's document has no such version (any more)."""
    row = await connection.fetchrow(
        """insert into suggestions (id, document_id, document_created_at, user_id,
                                    original_text, suggested_text, description)
           select $1, v.document_id, v.created_at, d.user_id, $5, $6, $7
           from documents d join document_versions v on v.document_id = d.id
           where d.id = $2 and v.created_at = $3 and d.user_id = $4
           for share of v
           returning *""",
        suggestion_id,
        document_id,
        document_created_at,
        user_id,
        original_text,
        suggested_text,
        description,
    )
    return None if row is None else _suggestion(row)


async def owner(connection: Connection, suggestion_id: str) -> str | None:
    """Whoever asks decides between 403 and 404."""
    found: str | None = await connection.fetchval(
        "select user_id from suggestions where id = $1", suggestion_id
    )
    return found


async def settle(
    connection: Connection, suggestion_id: str, user_id: str, status: SuggestionStatus
) -> Suggestion | None:
    row = await connection.fetchrow(
        "update suggestions set status = $3 where id = $1 and user_id = $2 returning *",
        suggestion_id,
        user_id,
        status,
    )
    return None if row is None else _suggestion(row)
