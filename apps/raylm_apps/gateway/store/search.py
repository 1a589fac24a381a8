"""Searching a user's chats: words of their messages, by stem, and any part of their titles."""

from collections.abc import Sequence
from dataclasses import dataclass

from raylm_apps.gateway.store.chats import Chat, chat_of
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.pool import Connection

# More messages than these have the words: then a walk through the newest chats is over soon.
MANY = 500
OPEN, CLOSE = "\x02", "\x03"
HEADLINE = f"StartSel={OPEN},StopSel={CLOSE},MaxWords=24,MinWords=10,ShortWord=0"


@dataclass(frozen=True)
class Piece:
    text: str
    is_match: bool


@dataclass(frozen=True)
class Hit:
    chat: Chat
    snippet: list[Piece] | None
    """Around the words in the newest message that has them; None where only the title has."""


async def page(connection: Connection, shelf: Shelf, words: str, limit: int) -> list[Hit]:
    """Newest chats first, at most `limit`."""
    async with connection.transaction():
        # A plan for any word is twenty times slower than one for this word.
        await connection.execute("set local plan_cache_mode = force_custom_plan")
        found = await _few(connection, shelf.user_id, words)
        if len(found) < MANY:
            chats = await _among(connection, shelf, words, limit, found)
        else:
            chats = await _walk(connection, shelf, words, limit)
        snippets = await _snippets(connection, shelf.user_id, words, chats)
    return [Hit(chat, snippets.get(chat.id)) for chat, _ in chats]


async def _few(connection: Connection, user_id: str, words: str) -> list[tuple[str, int]]:
    """Messages with the words, at most MANY."""
    rows = await connection.fetch(
        """select chat_id, seq from message_words
           where user_id = $1 and words @@ websearch_to_tsquery('words', $2) limit $3""",
        user_id,
        words,
        MANY,
    )
    return [(row["chat_id"], row["seq"]) for row in rows]


async def _among(
    connection: Connection,
    shelf: Shelf,
    words: str,
    limit: int,
    found: Sequence[tuple[str, int]],
) -> list[tuple[Chat, int | None]]:
    """Of the chats of these messages and those whose title matches."""
    condition, arguments = shelf.condition()
    place = len(arguments)
    rows = await connection.fetch(
        f"""with found as (
              select chat_id, max(seq) as seq
              from unnest(${place + 1}::text[], ${place + 2}::bigint[]) as f (chat_id, seq)
              group by chat_id
            ), matches as (
              select chat_id from found union
              select id from chats where user_id = $1 and title ilike ${place + 3}
            )
            select chats.*, found.seq from matches
            join chats on chats.id = matches.chat_id
            left join found on found.chat_id = chats.id
            where {condition}
            order by chats.created_at desc, chats.id desc limit ${place + 4}""",
        *arguments,
        [chat_id for chat_id, _ in found],
        [seq for _, seq in found],
        _anywhere(words),
        limit,
    )
    return [(chat_of(row), row["seq"]) for row in rows]


async def _walk(
    connection: Connection, shelf: Shelf, words: str, limit: int
) -> list[tuple[Chat, int | None]]:
    """From the newest chat on, each looked into, until a page is full."""
    condition, arguments = shelf.condition()
    place = len(arguments)
    rows = await connection.fetch(
        f"""select chats.*, hit.seq from chats
            left join lateral (
              select seq from message_words w
              where w.chat_id = chats.id and w.user_id = $1
                and w.words @@ websearch_to_tsquery('words', ${place + 1})
              order by seq desc limit 1
            ) hit on true
            where {condition} and (hit.seq is not null or chats.title ilike ${place + 2})
            order by chats.created_at desc, chats.id desc limit ${place + 3}""",
        *arguments,
        words,
        _anywhere(words),
        limit,
    )
    return [(chat_of(row), row["seq"]) for row in rows]


async def _snippets(
    connection: Connection, user_id: str, words: str, chats: Sequence[tuple[Chat, int | None]]
) -> dict[str, list[Piece]]:
    places = [(chat.id, seq) for chat, seq in chats if seq is not None]
    rows = await connection.fetch(
        """select m.chat_id, ts_headline('words', translate(message_text(m.parts), $5, '  '),
                                         websearch_to_tsquery('words', $4), $6) as headline
           from unnest($1::text[], $2::bigint[]) as f (chat_id, seq)
           join messages m on m.chat_id = f.chat_id and m.seq = f.seq
           join chats on chats.id = m.chat_id and chats.user_id = $3""",
        [chat_id for chat_id, _ in places],
        [seq for _, seq in places],
        user_id,
        words,
        OPEN + CLOSE,
        HEADLINE,
    )
    return {row["chat_id"]: pieces(row["headline"]) for row in rows}


def pieces(headline: str) -> list[Piece]:
    """The text in order, matches apart: nothing in it is markup."""
    start, *marked = headline.split(OPEN)
    split = [Piece(start, is_match=False)]
    for text in marked:
        match, _, rest = text.partition(CLOSE)
        split += [Piece(match, is_match=True), Piece(rest, is_match=False)]
    return [piece for piece in split if piece.text]


def _anywhere(text: str) -> str:
    """A LIKE pattern in which nothing of the text is special."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
