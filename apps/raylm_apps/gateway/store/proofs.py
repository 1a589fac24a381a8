"""Secrets that went to an address by mail. The database knows them by their hash."""

from typing import Literal

from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.store.users import User, user_of

Purpose = Literal["reset", "verify"]

# Ways in that were made before the address was proved need not be its owner's.
UNPROVED = ("delete from identities where user_id = $1", "delete from api_keys where user_id = $1")


async def add(
    connection: Connection, token_hash: bytes, user_id: str, purpose: Purpose, lifetime_s: int
) -> None:
    await connection.execute("delete from proofs where expires_at < now()")
    await connection.execute(
        """insert into proofs (token_hash, user_id, purpose, email, password_digest, expires_at)
           select $1::bytea, id, $3::text, email,
                  case when $3 = 'reset' then digest_of_password(users) end,
                  now() + make_interval(secs => $4)
           from users where id = $2""",
        token_hash,
        user_id,
        purpose,
        lifetime_s,
    )


async def take(
    connection: Connection, token_hash: bytes, purpose: Purpose, user_id: str | None = None
) -> User | None:
    """Whose address is proved, once; None for a secret that is used, old, another user's, for
    another purpose, or about what has changed since."""
    row = await connection.fetchrow(
        """delete from proofs p using users u
           where p.token_hash = $1 and p.purpose = $2 and p.expires_at > now()
             and u.id = p.user_id and u.email = p.email and coalesce($3, u.id) = u.id
             and (p.password_digest is null or p.password_digest = digest_of_password(u))
           returning u.*""",
        token_hash,
        purpose,
        user_id,
    )
    return None if row is None else user_of(row)


async def delete_all(connection: Connection, user_id: str) -> None:
    await connection.execute("delete from proofs where user_id = $1", user_id)


async def end_unproved_ways_in(connection: Connection, user_id: str) -> None:
    for statement in UNPROVED:
        await connection.execute(statement, user_id)
