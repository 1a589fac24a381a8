"""Sessions of accounts. The database knows tokens by their hash."""

from dataclasses import dataclass
from datetime import datetime

from raylm_apps.gateway.store.pool import Connection, Row
from raylm_apps.gateway.store.users import User, user_of

AGENT_CHARS = 300


@dataclass(frozen=True)
class StoredSession:
    id: str
    user_agent: str
    address: str
    created_at: datetime
    renewed_at: datetime


def _session(row: Row) -> StoredSession:
    return StoredSession(**{name: row[name] for name in StoredSession.__dataclass_fields__})


async def add(
    connection: Connection,
    session_id: str,
    token_hash: bytes,
    user_id: str,
    user_agent: str,
    address: str,
) -> None:
    await connection.execute(
        """insert into sessions (id, token_hash, user_id, user_agent, address)
           values ($1, $2, $3, $4, $5)""",
        session_id,
        token_hash,
        user_id,
        user_agent[:AGENT_CHARS].replace("\x00", ""),
        address,
    )


async def find(
    connection: Connection, token_hash: bytes, lifetime_s: int
) -> tuple[str, int, User] | None:
    """The session's id, when it was renewed (Unix seconds), and whose it is."""
    row = await connection.fetchrow(
        """select s.id as session_id, extract(epoch from s.renewed_at)::bigint as renewed, u.*
           from sessions s join users u on u.id = s.user_id
           where s.token_hash = $1 and s.renewed_at > now() - make_interval(secs => $2)""",
        token_hash,
        lifetime_s,
    )
    return None if row is None else (row["session_id"], row["renewed"], user_of(row))


async def renew(connection: Connection, session_id: str) -> None:
    await connection.execute("update sessions set renewed_at = now() where id = $1", session_id)


async def is_younger(connection: Connection, session_id: str, user_id: str, age_s: float) -> bool:
    """Whether the user signed in no longer ago; a renewed session is as old as it was."""
    found = await connection.fetchval(
        """select true from sessions where id = $1 and user_id = $2
           and created_at > now() - make_interval(secs => $3)""",
        session_id,
        user_id,
        age_s,
    )
    return bool(found)


async def of_user(connection: Connection, user_id: str, lifetime_s: int) -> list[StoredSession]:
    """Newest first."""
    rows = await connection.fetch(
        """select * from sessions
           where user_id = $1 and renewed_at > now() - make_interval(secs => $2)
           order by created_at desc, id""",
        user_id,
        lifetime_s,
    )
    return [_session(row) for row in rows]


async def delete(connection: Connection, user_id: str, session_id: str) -> bool:
    row = await connection.fetchrow(
        "delete from sessions where id = $1 and user_id = $2 returning id", session_id, user_id
    )
    return row is not None


async def delete_all(connection: Connection, user_id: str) -> int:
    rows = await connection.fetch("delete from sessions where user_id = $1 returning id", user_id)
    return len(rows)


async def delete_expired(connection: Connection, lifetime_s: int) -> int:
    rows = await connection.fetch(
        """delete from sessions where renewed_at < now() - make_interval(secs => $1)
           returning id""",
        lifetime_s,
    )
    return len(rows)
