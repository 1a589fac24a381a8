"""Users. A guest's row is written with their first chat, never with the token."""

from dataclasses import dataclass
from typing import Literal

from raylm_apps.gateway.store.pool import Connection, Row

Role = Literal["user", "admin"]

GONE = "this guest has an account now, or the account is deleted; please reload"

# What a guest has made, and an account takes over: every table with a user's own rows. Folders go
# first, for a chat stays in none that is not its owner's. What is entered into the ledger later is
# the account's by itself.
MOVED = {
    "folders": "update folders set user_id = $2 where user_id = $1",
    "chats": "update chats set user_id = $2 where user_id = $1",
    "files": "update files set user_id = $2 where user_id = $1",
    "documents": "update documents set user_id = $2 where user_id = $1",
    "suggestions": "update suggestions set user_id = $2 where user_id = $1",
    "ledger": """with moved as (delete from ledger where user_id = $1 returning *)
                 insert into ledger as old
                 select hour, $2, key_id, team_id, model, requests, input_tokens, output_tokens,
                        cached_tokens, micros from moved
                 on conflict (hour, user_id, key_id, team_id, model) do update
                 set requests = old.requests + excluded.requests,
                     input_tokens = old.input_tokens + excluded.input_tokens,
                     output_tokens = old.output_tokens + excluded.output_tokens,
                     cached_tokens = old.cached_tokens + excluded.cached_tokens,
                     micros = old.micros + excluded.micros""",
}


@dataclass(frozen=True)
class User:
    id: str
    email: str | None
    name: str | None
    password_hash: str | None
    email_verified: bool
    role: Role

    def is_admin(self, admin_emails: frozenset[str]) -> bool:
        """An address counts once its owner has proved it: anybody can register with any."""
        return self.role == "admin" or (self.email_verified and self.email in admin_emails)


def user_of(row: Row) -> User:
    return User(**{name: row[name] for name in User.__dataclass_fields__})


async def ensure(connection: Connection, user_id: str, *, is_guest: bool) -> bool:
    """False where the guest has become an account, or the account was deleted a moment ago.

    The answer holds to the transaction's end.
    """
    found = await _hold(connection, user_id)
    if found is None and is_guest:
        await _insert_guest(connection, user_id)
        found = await _hold(connection, user_id)
    return found is not None and found["upgraded_to"] is None


async def current_id(connection: Connection, user_id: str) -> str:
    """The account's, where a guest has become one in the meantime."""
    found: str | None = await connection.fetchval(
        "select coalesce(upgraded_to, id) from users where id = $1", user_id
    )
    return found or user_id


async def _hold(connection: Connection, user_id: str) -> Row | None:
    return await connection.fetchrow(
        "select upgraded_to from users where id = $1 for key share", user_id
    )


async def _insert_guest(connection: Connection, user_id: str) -> None:
    await connection.execute(
        "insert into users (id) values ($1) on conflict (id) do nothing", user_id
    )


async def add(
    connection: Connection,
    user_id: str,
    *,
    email: str | None,
    name: str | None,
    password_hash: str | None = None,
    email_verified: bool = False,
) -> User | None:
    """None where another account has the address."""
    row = await connection.fetchrow(
        """insert into users (id, email, name, password_hash, email_verified, is_anonymous)
           values ($1, $2, $3, $4, $5, false) on conflict (email) do nothing returning *""",
        user_id,
        email,
        name,
        password_hash,
        email_verified,
    )
    return None if row is None else user_of(row)


async def find(connection: Connection, user_id: str) -> User | None:
    row = await connection.fetchrow("select * from users where id = $1", user_id)
    return None if row is None else user_of(row)


async def find_by_email(connection: Connection, email: str) -> User | None:
    row = await connection.fetchrow("select * from users where email = $1", email)
    return None if row is None else user_of(row)


async def replace_password(
    connection: Connection, user_id: str, old_hash: str | None, new_hash: str
) -> bool:
    """False where the password is not the old one any more."""
    changed = await connection.fetchval(
        """update users set password_hash = $3, updated_at = now()
           where id = $1 and password_hash is not distinct from $2 returning true""",
        user_id,
        old_hash,
        new_hash,
    )
    return bool(changed)


async def hold_password(connection: Connection, user_id: str, password_hash: str) -> bool:
    """Whether that is the password still; the answer holds to the transaction's end."""
    held = await connection.fetchval(
        "select true from users where id = $1 and password_hash = $2 for share",
        user_id,
        password_hash,
    )
    return bool(held)


async def verify_email(connection: Connection, user_id: str, email: str) -> None:
    """It is proved that the account's own address is its owner's."""
    await connection.execute(
        "update users set email_verified = true, updated_at = now() where id = $1 and email = $2",
        user_id,
        email,
    )


async def set_role(connection: Connection, email: str, role: Role) -> User | None:
    row = await connection.fetchrow(
        "update users set role = $2, updated_at = now() where email = $1 returning *", email, role
    )
    return None if row is None else user_of(row)


async def delete(connection: Connection, user_id: str) -> None:
    """And, by the foreign keys, everything that is theirs."""
    await connection.execute("delete from users where id = $1", user_id)


async def take_over(connection: Connection, guest_id: str, user_id: str) -> None:
    """Give an account what a guest has made, and close the guest, in the caller's transaction.

    The lock waits for whatever the guest is storing; what comes later finds the guest closed.
    """
    await _insert_guest(connection, guest_id)
    guest = await connection.fetchrow(
        "select id from users where id = $1 and is_anonymous and upgraded_to is null for update",
        guest_id,
    )
    if guest is None:
        return
    for move in MOVED.values():
        await connection.execute(move, guest_id, user_id)
    await connection.execute(
        "update users set upgraded_to = $2, updated_at = now() where id = $1", guest_id, user_id
    )
