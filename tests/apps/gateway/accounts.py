"""Guests made accounts in the database itself, as signing up would."""

import asyncio

import asyncpg

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import User


def make_account(stores: StoreUrls, user: User) -> str:
    """The address."""
    email = f"{user.id}@example.org"
    asyncio.run(_sign_up(stores.database_url, user.id, email))
    return email


async def _sign_up(url: str, user_id: str, email: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        """insert into users (id, email, is_anonymous) values ($1, $2, false)
           on conflict (id) do update set email = $2, is_anonymous = false""",
        user_id,
        email,
    )
    await connection.close()
