"""Folders, each its owner's; a chat is in one or none."""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from raylm_apps.gateway.store.pool import Connection, Row


@dataclass(frozen=True)
class Folder:
    id: str
    user_id: str
    name: str
    team_id: str | None
    created_at: datetime
    updated_at: datetime


def _folder(row: Row) -> Folder:
    return Folder(**{name: row[name] for name in Folder.__dataclass_fields__})


async def of_user(connection: Connection, user_id: str) -> list[Folder]:
    rows = await connection.fetch(
        "select * from folders where user_id = $1 order by name, id", user_id
    )
    return [_folder(row) for row in rows]


async def find(connection: Connection, folder_id: str, user_id: str) -> Folder | None:
    row = await connection.fetchrow(
        "select * from folders where id = $1 and user_id = $2", folder_id, user_id
    )
    return None if row is None else _folder(row)


async def add(connection: Connection, user_id: str, name: str, most: int) -> Folder | None:
    """None where the user has `most` folders already."""
    row = await connection.fetchrow(
        """insert into folders (id, user_id, name) select $1, $2, $3
           where (select count(*) from folders where user_id = $2) < $4 returning *""",
        str(uuid4()),
        user_id,
        name,
        most,
    )
    return None if row is None else _folder(row)


async def change(
    connection: Connection, folder: Folder, name: str, team_id: str | None
) -> Folder | None:
    """A team that the owner is no member of becomes null."""
    row = await connection.fetchrow(
        """update folders set name = $3, updated_at = now(),
             team_id = (select team_id from team_members where team_id = $4 and user_id = $2)
           where id = $1 and user_id = $2 returning *""",
        folder.id,
        folder.user_id,
        name,
        team_id,
    )
    return None if row is None else _folder(row)


async def delete(connection: Connection, folder_id: str, user_id: str) -> Folder | None:
    """Its chats stay, in no folder."""
    row = await connection.fetchrow(
        "delete from folders where id = $1 and user_id = $2 returning *", folder_id, user_id
    )
    return None if row is None else _folder(row)
