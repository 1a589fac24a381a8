"""Chats. Every query names the user it is for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from raylm_apps.gateway.store.pool import Connection, Row

Visibility = Literal["private", "public"]


@dataclass(frozen=True)
class Chat:
    id: str
    user_id: str
    title: str
    visibility: Visibility
    created_at: datetime
    updated_at: datetime

    def readable_by(self, user_id: str | None) -> bool:
        return self.visibility == "public" or self.user_id == user_id


def _chat(row: Row) -> Chat:
    return Chat(**{name: row[name] for name in Chat.__dataclass_fields__})


async def ensure(
    connection: Connection, chat_id: str, user_id: str, title: str, visibility: Visibility
) -> tuple[Chat, bool] | None:
    """The user's chat and whether it is new; None where it is another user's."""
    row = await connection.fetchrow(
        """insert into chats (id, user_id, title, visibility) values ($1, $2, $3, $4)
           on conflict (id) do update set updated_at = now() where chats.user_id = $2
           returning *, xmax = 0 as created""",
        chat_id,
        user_id,
        title,
        visibility,
    )
    return None if row is None else (_chat(row), row["created"])


async def find(connection: Connection, chat_id: str) -> Chat | None:
    """Whoever asks decides, with `readable_by`, between 403 and 404."""
    row = await connection.fetchrow("select * from chats where id = $1", chat_id)
    return None if row is None else _chat(row)


async def update(
    connection: Connection,
    chat_id: str,
    user_id: str,
    title: str | None,
    visibility: Visibility | None,
) -> Chat | None:
    row = await connection.fetchrow(
        """update chats set title = coalesce($3, title), visibility = coalesce($4, visibility),
                            updated_at = now()
           where id = $1 and user_id = $2 returning *""",
        chat_id,
        user_id,
        title,
        visibility,
    )
    return None if row is None else _chat(row)


async def delete(connection: Connection, chat_id: str, user_id: str) -> Chat | None:
    row = await connection.fetchrow(
        "delete from chats where id = $1 and user_id = $2 returning *", chat_id, user_id
    )
    return None if row is None else _chat(row)


async def delete_all(connection: Connection, user_id: str) -> list[str]:
    rows = await connection.fetch("delete from chats where user_id = $1 returning id", user_id)
    return [row["id"] for row in rows]


async def page(
    connection: Connection,
    user_id: str,
    limit: int,
    *,
    older_than: Chat | None = None,
    newer_than: Chat | None = None,
) -> list[Chat]:
    """Newest first, at most `limit`."""
    condition, cursor = "true", []
    if older_than is not None:
        condition, cursor = "(created_at, id) < ($3, $4)", [older_than.created_at, older_than.id]
    elif newer_than is not None:
        condition, cursor = "(created_at, id) > ($3, $4)", [newer_than.created_at, newer_than.id]
    rows = await connection.fetch(
        f"""select * from chats where user_id = $1 and {condition}
            order by created_at desc, id desc limit $2""",
        user_id,
        limit,
        *cursor,
    )
    return [_chat(row) for row in rows]


async def holding_file(connection: Connection, file_id: str) -> list[Chat]:
    """Whoever asks decides, with `readable_by`, whether one of them shows the file."""
    rows = await connection.fetch(
        "select * from chats where id in (select chat_id from message_files where file_id = $1)",
        file_id,
    )
    return [_chat(row) for row in rows]
