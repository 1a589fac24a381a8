"""Chats. Every query names the user it is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from raylm_apps.gateway.store.pool import Connection, Row

Visibility = Literal["private", "members", "public"]

SETTERS = {
    "title": "title = {}",
    "visibility": "visibility = {}",
    "archived": "archived_at = case when {}::boolean then coalesce(archived_at, now()) end",
    "folder_id": "folder_id = (select id from folders where id = {} and user_id = $2)",
    "team_id": "team_id = (select team_id from team_members where team_id = {} and user_id = $2)",
}


@dataclass(frozen=True)
class Chat:
    id: str
    user_id: str
    title: str
    visibility: Visibility
    folder_id: str | None
    team_id: str | None
    archived_at: datetime | None
    active_id: str | None
    """Whose branch people see, where it is not the newest message's."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Found:
    chat: Chat
    is_readable: bool


def chat_of(row: Row) -> Chat:
    return Chat(**{name: row[name] for name in Chat.__dataclass_fields__})


async def find(connection: Connection, chat_id: str, reader_id: str | None) -> Found | None:
    """Not readable is 403, None is 404."""
    row = await connection.fetchrow(
        "select c.*, may_read(c, $2) as is_readable from chats c where id = $1", chat_id, reader_id
    )
    return None if row is None else Found(chat_of(row), row["is_readable"])


async def update(
    connection: Connection, chat_id: str, user_id: str, changes: Mapping[str, Any]
) -> Chat | None:
    """`changes` by the names of SETTERS; a folder or team that is not the user's becomes null."""
    assignments = [SETTERS[name].format(f"${place}") for place, name in enumerate(changes, 3)]
    row = await connection.fetchrow(
        f"""update chats set {", ".join([*assignments, "updated_at = now()"])}
            where id = $1 and user_id = $2 returning *""",
        chat_id,
        user_id,
        *changes.values(),
    )
    return None if row is None else chat_of(row)


async def delete(connection: Connection, chat_id: str, user_id: str) -> Chat | None:
    row = await connection.fetchrow(
        "delete from chats where id = $1 and user_id = $2 returning *", chat_id, user_id
    )
    return None if row is None else chat_of(row)


async def delete_all(connection: Connection, user_id: str) -> list[str]:
    rows = await connection.fetch("delete from chats where user_id = $1 returning id", user_id)
    return [row["id"] for row in rows]


async def holding_file(connection: Connection, file_id: str, reader: str | None) -> bool:
    """Whether a chat that the reader may read shows the file: on its active branch, for what was
    edited away is not shared."""
    found = await connection.fetchval(
        """with recursive holding as (
             select c.id as chat_id, c.active_id from chats c
             where may_read(c, $2) and id in (select chat_id from message_files where file_id = $1)
           ), below as (
             select m.chat_id, m.id, m.parent_id, m.seq from holding
             join messages m on m.chat_id = holding.chat_id and m.id = coalesce(
               active_id,
               (select id from messages where chat_id = holding.chat_id order by seq desc limit 1))
             union all
             select m.chat_id, m.id, m.parent_id, m.seq from below
             join messages m on m.chat_id = below.chat_id and m.parent_id = below.id
           ), path as (
             (select distinct on (chat_id) chat_id, id, parent_id from below
              order by chat_id, seq desc)
             union all
             select m.chat_id, m.id, m.parent_id from path
             join messages m on m.chat_id = path.chat_id and m.id = path.parent_id
           )
           select exists (
             select from path join message_files f on f.chat_id = path.chat_id
             where f.message_id = path.id and f.file_id = $1)""",
        file_id,
        reader,
    )
    return bool(found)
