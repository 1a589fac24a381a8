"""API keys. The database knows a key by its hash, and people by its prefix."""

from dataclasses import dataclass
from datetime import datetime

from raylm_apps.gateway.store.pool import Connection, Row
from raylm_apps.gateway.store.users import User, user_of


@dataclass(frozen=True)
class ApiKey:
    id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None


def _key(row: Row) -> ApiKey:
    return ApiKey(**{name: row[name] for name in ApiKey.__dataclass_fields__})


async def add(
    connection: Connection,
    key_id: str,
    key_hash: bytes,
    user_id: str,
    name: str,
    prefix: str,
    most: int,
) -> ApiKey | None:
    """None where the user has `most` already; the user's row is the lock that makes it exact."""
    await connection.execute("select 1 from users where id = $1 for no key update", user_id)
    row = await connection.fetchrow(
        """insert into api_keys (id, key_hash, user_id, name, prefix)
           select $1, $2, $3, $4, $5
           where (select count(*) from api_keys where user_id = $3) < $6 returning *""",
        key_id,
        key_hash,
        user_id,
        name,
        prefix,
        most,
    )
    return None if row is None else _key(row)


async def use(connection: Connection, key_hash: bytes) -> tuple[str, User] | None:
    """The key's id and whose it is; when it was used is kept to the minute."""
    row = await connection.fetchrow(
        """select k.id as key_id, u.*,
                  coalesce(k.last_used_at < now() - interval '1 minute', true) as is_stale
           from api_keys k join users u on u.id = k.user_id where k.key_hash = $1""",
        key_hash,
    )
    if row is None:
        return None
    if row["is_stale"]:
        await connection.execute(
            "update api_keys set last_used_at = now() where id = $1", row["key_id"]
        )
    return row["key_id"], user_of(row)


async def of_user(connection: Connection, user_id: str) -> list[ApiKey]:
    """Newest first."""
    rows = await connection.fetch(
        "select * from api_keys where user_id = $1 order by created_at desc, id", user_id
    )
    return [_key(row) for row in rows]


async def find(connection: Connection, user_id: str, key_id: str) -> ApiKey | None:
    row = await connection.fetchrow(
        "select * from api_keys where id = $1 and user_id = $2", key_id, user_id
    )
    return None if row is None else _key(row)


async def delete(connection: Connection, user_id: str, key_id: str) -> ApiKey | None:
    row = await connection.fetchrow(
        "delete from api_keys where id = $1 and user_id = $2 returning *", key_id, user_id
    )
    return None if row is None else _key(row)
