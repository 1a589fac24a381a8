"""Which account a provider's user is."""

from raylm_apps.gateway.store.pool import Connection
from raylm_apps.gateway.store.users import User, user_of


async def find(connection: Connection, provider: str, subject: str) -> User | None:
    row = await connection.fetchrow(
        """select u.* from identities i join users u on u.id = i.user_id
           where i.provider = $1 and i.subject = $2""",
        provider,
        subject,
    )
    return None if row is None else user_of(row)


async def add(connection: Connection, provider: str, subject: str, user_id: str) -> bool:
    """False where the provider's user belongs to an account already."""
    row = await connection.fetchrow(
        """insert into identities (provider, subject, user_id) values ($1, $2, $3)
           on conflict (provider, subject) do nothing returning user_id""",
        provider,
        subject,
        user_id,
    )
    return row is not None
