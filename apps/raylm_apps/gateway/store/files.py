"""Uploads. Every query names the user it is for, but those of the sweeper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from raylm.core.errors import StoreError
from raylm_apps.gateway.store.pool import Connection, Row

DRAFT_LIFETIME_S = 3_600.0
"""For which an object may lie in the file store before its row is there."""
SENT_GRACE_S = 60.0


@dataclass(frozen=True)
class File:
    id: str
    user_id: str
    name: str
    content_type: str
    size_bytes: int
    object_key: str
    created_at: datetime

    @property
    def url(self) -> str:
        return f"/api/files/{self.id}"


@dataclass(frozen=True)
class Usage:
    files: int
    size_bytes: int


def _file(row: Row) -> File:
    return File(**{name: row[name] for name in File.__dataclass_fields__})


async def usage(connection: Connection, user_id: str) -> Usage:
    """What a user keeps; within a transaction no upload of theirs can pass this one."""
    await connection.execute("select 1 from users where id = $1 for no key update", user_id)
    row = await connection.fetchrow(
        "select count(*) as n, coalesce(sum(size_bytes), 0) as size from files where user_id = $1",
        user_id,
    )
    assert row is not None
    return Usage(row["n"], int(row["size"]))


async def announce_object(connection: Connection, object_key: str) -> None:
    """Before it is written; where no file follows, the sweeper takes it away."""
    await connection.execute(
        "insert into loose_objects values ($1, now() + make_interval(secs => $2))",
        object_key,
        DRAFT_LIFETIME_S,
    )


async def add(connection: Connection, file: File, text: str | None) -> bool:
    """False where the user has a file of that id; its object then stays announced, and goes.

    Raises StoreError where it was announced so long ago that it is gone.
    """
    added = await connection.fetchval(
        """insert into files (id, user_id, name, content_type, size_bytes, text, object_key)
           values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing returning true""",
        file.id,
        file.user_id,
        file.name,
        file.content_type,
        file.size_bytes,
        text,
        file.object_key,
    )
    if not added:
        return False
    claimed = await connection.fetchval(
        "delete from loose_objects where object_key = $1 returning true", file.object_key
    )
    if not claimed:
        raise StoreError(f"object {file.object_key} was written too slowly")
    return True


async def attach(connection: Connection, file: File, chat_id: str, message_id: str) -> None:
    """To a message that is there already."""
    await connection.execute(
        """with sent as (update files set sent_at = now() where id = $1 and user_id = $2
                         returning id)
           insert into message_files select $3, $4, id from sent""",
        file.id,
        file.user_id,
        chat_id,
        message_id,
    )


async def find(connection: Connection, file_id: str) -> File | None:
    """Whoever asks decides, by owner or by `chats.holding_file`, who may have it."""
    row = await connection.fetchrow("select * from files where id = $1", file_id)
    return None if row is None else _file(row)


async def of_user(connection: Connection, user_id: str, file_ids: Sequence[str]) -> dict[str, File]:
    rows = await connection.fetch(
        "select * from files where user_id = $1 and id = any($2)", user_id, file_ids
    )
    return {row["id"]: _file(row) for row in rows}


async def after(connection: Connection, user_id: str, last_id: str, limit: int) -> list[File]:
    """In the order of their ids."""
    rows = await connection.fetch(
        "select * from files where user_id = $1 and id > $2 order by id limit $3",
        user_id,
        last_id,
        limit,
    )
    return [_file(row) for row in rows]


async def texts(connection: Connection, user_id: str, file_ids: Sequence[str]) -> dict[str, str]:
    """The text of each, empty where there is none to read."""
    rows = await connection.fetch(
        "select id, coalesce(text, '') as text from files where user_id = $1 and id = any($2)",
        user_id,
        file_ids,
    )
    return {row["id"]: row["text"] for row in rows}


async def delete(connection: Connection, user_id: str, file_id: str) -> File | None:
    row = await connection.fetchrow(
        "delete from files where id = $1 and user_id = $2 returning *", file_id, user_id
    )
    return None if row is None else _file(row)


async def delete_unneeded(connection: Connection, unsent_s: float, sent_s: float) -> int:
    """Files of deleted chats, and files that were never sent.

    The ages are conditions on the file's own row: one that is being sent at this moment is locked
    by that, looked at again, and stays.
    """
    rows = await connection.fetch(
        """delete from files where
             case when sent_at is null then created_at < now() - make_interval(secs => $1)
                  else sent_at < now() - make_interval(secs => $2) end
             and not exists (select from message_files where file_id = files.id)
           returning id""",
        unsent_s,
        sent_s,
    )
    return len(rows)


async def due_objects(connection: Connection, limit: int) -> list[str]:
    """Locked to the end of the transaction; other sweepers pass them by."""
    rows = await connection.fetch(
        """select object_key from loose_objects where due_at <= now()
           order by due_at limit $1 for update skip locked""",
        limit,
    )
    return [row["object_key"] for row in rows]


async def forget_objects(connection: Connection, object_keys: Sequence[str]) -> None:
    await connection.execute(
        "delete from loose_objects where object_key = any($1)", list(object_keys)
    )
