"""Documents as rows of versions. Every query names the user it is for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from raylm_apps.gateway.store.pool import Connection, Row

Kind = Literal["text", "code", "image", "sheet"]
MAX_CHARS = 200_000
MAX_VERSIONS = 100
MAX_TITLE_CHARS = 200


class DocumentLimitError(Exception):
    """The document, or its list of versions, would grow too long; the message is for users."""


@dataclass(frozen=True)
class Draft:
    """What a version says."""

    title: str
    kind: Kind
    content: str


@dataclass(frozen=True)
class Version(Draft):
    id: str
    created_at: datetime
    user_id: str


_COLUMNS = "d.id, d.user_id, v.created_at, v.title, v.kind, v.content"


def _version(row: Row) -> Version:
    return Version(**row)


async def owner(connection: Connection, document_id: str) -> str | None:
    """Whoever asks decides between 403 and 404."""
    found: str | None = await connection.fetchval(
        "select user_id from documents where id = $1", document_id
    )
    return found


async def versions(connection: Connection, document_id: str, user_id: str) -> list[Version]:
    """Oldest first."""
    rows = await connection.fetch(
        f"""select {_COLUMNS} from documents d join document_versions v on v.document_id = d.id
            where d.id = $1 and d.user_id = $2 order by v.created_at""",
        document_id,
        user_id,
    )
    return [_version(row) for row in rows]


async def version(
    connection: Connection, document_id: str, user_id: str, at: datetime | None = None
) -> Version | None:
    """The version of that time, or the newest."""
    row = await connection.fetchrow(
        f"""select {_COLUMNS} from documents d join document_versions v on v.document_id = d.id
            where d.id = $1 and d.user_id = $2 and ($3::timestamptz is null or v.created_at = $3)
            order by v.created_at desc limit 1""",
        document_id,
        user_id,
        at,
    )
    return None if row is None else _version(row)


async def lock(connection: Connection, document_id: str, user_id: str) -> bool:
    """Until the transaction ends nobody else changes the document; False where it is not there."""
    row = await connection.fetchrow(
        "select 1 from documents where id = $1 and user_id = $2 for update", document_id, user_id
    )
    return row is not None


async def add(
    connection: Connection, document_id: str, user_id: str, draft: Draft
) -> Version | None:
    """A new newest version, of a new document too; None where it is another user's.

    In a transaction, whose lock on the document puts concurrent writers one after the other.
    Raises DocumentLimitError.
    """
    _check_length(draft)
    is_own = await connection.fetchrow(
        """insert into documents (id, user_id) values ($1, $2)
           on conflict (id) do update set updated_at = now() where documents.user_id = $2
           returning id""",
        document_id,
        user_id,
    )
    if is_own is None:
        return None
    row = await connection.fetchrow(
        """insert into document_versions (document_id, created_at, title, kind, content)
           select $1, greatest(date_trunc('milliseconds', clock_timestamp()),
                               max(created_at) + interval '1 millisecond'), $2, $3, $4
           from document_versions where document_id = $1 having count(*) < $5
           returning created_at""",
        document_id,
        draft.title,
        draft.kind,
        draft.content,
        MAX_VERSIONS,
    )
    if row is None:
        raise DocumentLimitError(
            f"the document has {MAX_VERSIONS} versions; go back to an earlier one, or copy it"
        )
    return Version(**vars(draft), id=document_id, created_at=row["created_at"], user_id=user_id)


async def amend(connection: Connection, newest: Version, draft: Draft) -> Version:
    """Change a version in place, under the document's lock. Raises DocumentLimitError."""
    _check_length(draft)
    await connection.execute(
        """update document_versions v set title = $4, kind = $5, content = $6
           from documents d
           where d.id = v.document_id and d.id = $1 and d.user_id = $2 and v.created_at = $3""",
        newest.id,
        newest.user_id,
        newest.created_at,
        draft.title,
        draft.kind,
        draft.content,
    )
    return Version(
        **vars(draft), id=newest.id, created_at=newest.created_at, user_id=newest.user_id
    )


async def delete_after(
    connection: Connection, document_id: str, user_id: str, timestamp: datetime
) -> list[Version]:
    """What was newer, oldest first; a document without versions is gone. In a transaction."""
    if not await lock(connection, document_id, user_id):
        return []
    rows = await connection.fetch(
        f"""delete from document_versions v using documents d
            where d.id = v.document_id and d.id = $1 and d.user_id = $2 and v.created_at > $3
            returning {_COLUMNS}""",
        document_id,
        user_id,
        timestamp,
    )
    await connection.execute(
        """delete from documents where id = $1 and user_id = $2
           and not exists (select from document_versions where document_id = $1)""",
        document_id,
        user_id,
    )
    return sorted(map(_version, rows), key=lambda version: version.created_at)


def _check_length(draft: Draft) -> None:
    if len(draft.content) > MAX_CHARS:
        raise DocumentLimitError(
            f"the document has {len(draft.content)} characters; at most {MAX_CHARS}"
        )
