"""Changing an account's role from outside the gateway."""

from raylm_apps.gateway.store import users
from raylm_apps.gateway.store.migrate import migrate
from raylm_apps.gateway.store.pool import Database
from raylm_apps.gateway.store.users import Role, User


async def set_role(database_url: str, email: str, role: Role) -> User | None:
    """None where no account has the address. Brings the database up to date first."""
    database = Database(database_url, max_connections=1)
    await database.open()
    try:
        await migrate(database)
        async with database.connection() as connection:
            return await users.set_role(connection, email, role)
    finally:
        await database.close()
