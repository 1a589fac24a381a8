"""Messages: a tree per chat, of which the path to the newest leaf is what people see."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from raylm_apps.gateway.store.pool import Connection, Row

Part = dict[str, Any]


class Status(StrEnum):
    STREAMING = "streaming"
    COMPLETE = "complete"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ERROR = "error"


@dataclass(frozen=True)
class Message:
    chat_id: str
    id: str
    parent_id: str | None
    role: Literal["user", "assistant"]
    status: Status
    model: str | None
    created_at: datetime
    parts: list[Part] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.parts if part["type"] == "text")


def message_of(row: Row | dict[str, Any]) -> Message:
    fields = {name: row[name] for name in Message.__dataclass_fields__}
    return Message(**{**fields, "status": Status(row["status"])})


def message_of_json(fields: dict[str, Any]) -> Message:
    """From a row that PostgreSQL has made JSON of."""
    created_at = datetime.fromisoformat(fields["created_at"])
    return message_of({**fields, "created_at": created_at})


async def find(connection: Connection, chat_id: str, message_id: str) -> Message | None:
    row = await connection.fetchrow(
        "select * from messages where chat_id = $1 and id = $2", chat_id, message_id
    )
    return None if row is None else message_of(row)


async def chars_of_chat(connection: Connection, chat_id: str, user_id: str) -> int:
    """No more than this is in a prompt of the user's own chat, branches and all."""
    chars: int = await connection.fetchval(
        """select coalesce(sum(length(parts::text)), 0)::bigint
           from messages m join chats on chats.id = m.chat_id
           where m.chat_id = $1 and chats.user_id = $2""",
        chat_id,
        user_id,
    )
    return chars


async def path(
    connection: Connection,
    chat_id: str,
    user_id: str | None,
    *,
    leaf_id: str | None = None,
    limit: int = 10_000,
) -> list[Message]:
    """The conversation that ends at `leaf_id` (the newest message), its last `limit` messages."""
    rows = await connection.fetch(
        """with recursive path as (
             (select m.*, 1 as depth from messages m join chats c on c.id = m.chat_id
              where m.chat_id = $1 and may_read(c, $2)
                and ($3::text is null or m.id = $3)
              order by m.seq desc limit 1)
             union all
             select m.*, depth + 1 from path
             join messages m on m.chat_id = $1 and m.id = path.parent_id where depth < $4
           )
           select * from path order by depth desc""",
        chat_id,
        user_id,
        leaf_id,
        limit,
    )
    return [message_of(row) for row in rows]


async def newest_answer(connection: Connection, chat_id: str) -> Message | None:
    row = await connection.fetchrow(
        """select * from messages where chat_id = $1 and role = 'assistant'
           order by seq desc limit 1""",
        chat_id,
    )
    return None if row is None else message_of(row)
