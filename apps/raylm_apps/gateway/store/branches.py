"""A chat's tree of messages: which branch is read, its forks, and what is cut from it."""

from collections.abc import Sequence

from raylm_apps.gateway.store.messages import Message
from raylm_apps.gateway.store.pool import Connection


async def leaf_id(connection: Connection, chat_id: str, through_id: str | None) -> str | None:
    """The newest message below `through_id`, or of the whole chat."""
    if through_id is None:
        newest: str | None = await connection.fetchval(
            "select id from messages where chat_id = $1 order by seq desc limit 1", chat_id
        )
        return newest
    below: str | None = await connection.fetchval(
        """with recursive below as (
             select id, seq from messages where chat_id = $1 and id = $2
             union all
             select m.id, m.seq from below
             join messages m on m.chat_id = $1 and m.parent_id = below.id
           )
           select id from below order by seq desc limit 1""",
        chat_id,
        through_id,
    )
    return below


async def siblings(
    connection: Connection, chat_id: str, path: Sequence[Message]
) -> dict[str, list[str]]:
    """For each message of a path: itself and what else was said in its place, in order."""
    rows = await connection.fetch(
        """select array_agg(id order by seq) as ids from messages
           where chat_id = $1 and (parent_id = any($2::text[]) or parent_id is null)
           group by parent_id, role""",
        chat_id,
        [message.parent_id for message in path if message.parent_id],
    )
    return {message_id: row["ids"] for row in rows for message_id in row["ids"]}


async def activate(
    connection: Connection, chat_id: str, user_id: str, message_id: str | None
) -> bool:
    """Show the branch through a message, or through whatever is newest."""
    changed = await connection.fetchval(
        "update chats set active_id = $3 where id = $1 and user_id = $2 returning true",
        chat_id,
        user_id,
        message_id,
    )
    return bool(changed)


async def chats_with(connection: Connection, message_id: str, user_id: str) -> list[str]:
    """The user's chats that have a message of that id."""
    rows = await connection.fetch(
        """select chats.id from chats
           join messages m on m.chat_id = chats.id and m.id = $1
           where chats.user_id = $2 limit 2""",
        message_id,
        user_id,
    )
    return [row["id"] for row in rows]


async def below(connection: Connection, chat_id: str, user_id: str, message_id: str) -> list[str]:
    """A message and everything that was said after it on its branches."""
    rows = await connection.fetch(
        """with recursive below as (
             select m.id, m.seq from messages m join chats on chats.id = m.chat_id
             where m.chat_id = $1 and m.id = $3 and chats.user_id = $2
             union all
             select m.id, m.seq from below
             join messages m on m.chat_id = $1 and m.parent_id = below.id
           )
           select id from below order by seq""",
        chat_id,
        user_id,
        message_id,
    )
    return [row["id"] for row in rows]


async def streaming(
    connection: Connection, chat_id: str, user_id: str, message_ids: Sequence[str]
) -> list[str]:
    """Those that are still being written."""
    rows = await connection.fetch(
        """select m.id from messages m join chats on chats.id = m.chat_id
           where m.chat_id = $1 and m.id = any($3::text[]) and chats.user_id = $2
             and m.status = 'streaming'""",
        chat_id,
        user_id,
        message_ids,
    )
    return [row["id"] for row in rows]


async def cut(
    connection: Connection, chat_id: str, user_id: str, message_ids: Sequence[str]
) -> list[str]:
    """Delete messages, votes with them; what came after one moves up to what was before it."""
    await connection.execute(
        """update messages m set parent_id = gone.parent_id
           from messages gone join chats on chats.id = gone.chat_id
           where gone.chat_id = $1 and gone.id = any($3::text[]) and chats.user_id = $2
             and m.chat_id = $1 and m.parent_id = gone.id and m.id <> all($3::text[])""",
        chat_id,
        user_id,
        message_ids,
    )
    rows = await connection.fetch(
        """delete from messages using chats
           where messages.chat_id = $1 and messages.id = any($3::text[])
             and chats.id = messages.chat_id and chats.user_id = $2
           returning messages.id""",
        chat_id,
        user_id,
        message_ids,
    )
    return [row["id"] for row in rows]
