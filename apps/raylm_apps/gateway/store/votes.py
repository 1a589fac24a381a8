"""What a chat's owner thinks of its answers."""

from dataclasses import dataclass

from raylm_apps.gateway.store.pool import Connection


@dataclass(frozen=True)
class Vote:
    chat_id: str
    message_id: str
    is_upvoted: bool


async def of_chat(connection: Connection, chat_id: str, user_id: str) -> list[Vote]:
    rows = await connection.fetch(
        """select v.chat_id, v.message_id, v.is_upvoted
           from votes v join chats on chats.id = v.chat_id
           where v.chat_id = $1 and chats.user_id = $2 order by v.message_id""",
        chat_id,
        user_id,
    )
    return [Vote(**row) for row in rows]


async def cast(connection: Connection, vote: Vote, user_id: str) -> bool:
    """False where the user has no such answer."""
    voted = await connection.fetchval(
        """insert into votes (chat_id, message_id, is_upvoted)
           select m.chat_id, m.id, $3 from messages m join chats on chats.id = m.chat_id
           where m.chat_id = $1 and m.id = $2 and m.role = 'assistant' and chats.user_id = $4
           on conflict (chat_id, message_id)
           do update set is_upvoted = excluded.is_upvoted, updated_at = now()
           returning true""",
        vote.chat_id,
        vote.message_id,
        vote.is_upvoted,
        user_id,
    )
    return bool(voted)
