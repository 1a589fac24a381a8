"""Titles that a model thought of."""

from raylm_apps.gateway.store.pool import Connection


async def replace(connection: Connection, chat_id: str, user_id: str, cut: str, title: str) -> bool:
    """False where the title is not the cut question any more: people's own names stay."""
    row = await connection.fetchrow(
        """update chats set title = $4 where id = $1 and user_id = $2 and title = $3
           returning id""",
        chat_id,
        user_id,
        cut,
        title,
    )
    return row is not None
