"""Users. A guest's row is written with their first chat, never with the token."""

from raylm_apps.gateway.store.pool import Connection


async def ensure_guest(connection: Connection, user_id: str) -> None:
    await connection.execute(
        "insert into users (id) values ($1) on conflict (id) do nothing", user_id
    )


async def delete(connection: Connection, user_id: str) -> None:
    """And, by the foreign keys, everything that is theirs."""
    await connection.execute("delete from users where id = $1", user_id)
