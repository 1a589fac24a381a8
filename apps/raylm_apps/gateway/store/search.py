"""Searching a user's chats: first those with the words in their titles, then in their messages.

Words of messages are found by their stem, the last one also by its beginning; titles by any part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raylm_apps.gateway.store.chats import Chat, chat_of
from raylm_apps.gateway.store.history import Shelf
from raylm_apps.gateway.store.matching import Wanted, understand
from raylm_apps.gateway.store.pool import Connection

# More messages than these have the words: then a walk through the newest chats is over soon.
MANY = 500
OPEN, CLOSE, SEAM = "\x02", "\x03", "\x1f"
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


Place = tuple[Chat, int | None]


async def page(connection: Connection, shelf: Shelf, query: str, limit: int) -> list[Hit]:
    """At most `limit`, the newest first of those by title, then of the others."""
    async with connection.transaction():
        # A plan for any word is twenty times slower than one for this word.
        await connection.execute("set local plan_cache_mode = force_custom_plan")
        wanted = await understand(connection, query)
        if wanted is None:
            return []
        places: list[Place] = []
        by_title, by_words = await _shelves(connection, shelf, wanted)
        if by_title is not None:
            places += await _titles(connection, by_title, wanted, limit)
        if by_words is not None and len(places) < limit:
            places += await _messages(connection, by_words, wanted, limit - len(places))
        snippets = await _snippets(connection, shelf.user_id, wanted, places)
    return [Hit(chat, snippets.get(chat.id)) for chat, _ in places]


async def _shelves(
    connection: Connection, shelf: Shelf, wanted: Wanted
) -> tuple[Shelf | None, Shelf | None]:
    """What is left of either kind beyond a chat that an earlier page ended with."""
    edge = shelf.older_than or shelf.newer_than
    if edge is None:
        return shelf, shelf
    arguments: list[object] = [edge.title]
    condition = wanted.of_titles(arguments, "edge.title")
    is_title: bool = await connection.fetchval(
        f"select {condition} from (select $1::text as title) as edge", *arguments
    )
    whole = replace(shelf, older_than=None, newer_than=None)
    if shelf.older_than is not None:
        return (shelf, whole) if is_title else (None, shelf)
    return (shelf, None) if is_title else (whole, shelf)


async def _titles(connection: Connection, shelf: Shelf, wanted: Wanted, limit: int) -> list[Place]:
    condition, arguments = shelf.condition()
    title = wanted.of_titles(arguments, by_index=True)
    words = wanted.of_messages(arguments)
    rows = await connection.fetch(
        f"""with titled as materialized (
              select * from chats where {condition} and {title}
              order by created_at desc, id desc limit ${len(arguments) + 1}
            )
            select titled.*, (
              select max(seq) from message_words
              where chat_id = titled.id and user_id = $1 and {words}
            ) as seq from titled order by created_at desc, id desc""",
        *arguments,
        limit,
    )
    return [(chat_of(row), row["seq"]) for row in rows]


async def _messages(
    connection: Connection, shelf: Shelf, wanted: Wanted, limit: int
) -> list[Place]:
    if wanted.is_indexed:
        found = await _few(connection, shelf.user_id, wanted)
        if len(found) < MANY:
            return await _among(connection, shelf, wanted, limit, found)
    return await _walk(connection, shelf, wanted, limit)


async def _few(connection: Connection, user_id: str, wanted: Wanted) -> list[tuple[str, int]]:
    """Messages with the words, at most MANY."""
    arguments: list[object] = [user_id]
    words = wanted.of_messages(arguments)
    rows = await connection.fetch(
        f"""select chat_id, seq from message_words
            where user_id = $1 and {words} limit ${len(arguments) + 1}""",
        *arguments,
        MANY,
    )
    return [(row["chat_id"], row["seq"]) for row in rows]


async def _among(
    connection: Connection,
    shelf: Shelf,
    wanted: Wanted,
    limit: int,
    found: Sequence[tuple[str, int]],
) -> list[Place]:
    """The chats of these messages."""
    condition, arguments = shelf.condition()
    title = wanted.of_titles(arguments)
    place = len(arguments)
    rows = await connection.fetch(
        f"""with found as (
              select chat_id, max(seq) as seq
              from unnest(${place + 1}::text[], ${place + 2}::bigint[]) as f (chat_id, seq)
              group by chat_id
            )
            select chats.*, found.seq from found join chats on chats.id = found.chat_id
            where {condition} and not {title}
            order by chats.created_at desc, chats.id desc limit ${place + 3}""",
        *arguments,
        [chat_id for chat_id, _ in found],
        [seq for _, seq in found],
        limit,
    )
    return [(chat_of(row), row["seq"]) for row in rows]


async def _walk(connection: Connection, shelf: Shelf, wanted: Wanted, limit: int) -> list[Place]:
    """From the newest chat on, each looked into, until a page is full."""
    condition, arguments = shelf.condition()
    title, words = wanted.of_titles(arguments), wanted.of_messages(arguments)
    rows = await connection.fetch(
        f"""select chats.*, hit.seq from chats
            cross join lateral (
              select seq from message_words
              where chat_id = chats.id and user_id = $1 and {words}
              order by seq desc limit 1
            ) hit
            where {condition} and not {title}
            order by chats.created_at desc, chats.id desc limit ${len(arguments) + 1}""",
        *arguments,
        limit,
    )
    return [(chat_of(row), row["seq"]) for row in rows]


async def _snippets(
    connection: Connection, user_id: str, wanted: Wanted, places: Sequence[Place]
) -> dict[str, list[Piece]]:
    found = [(chat.id, seq) for chat, seq in places if seq is not None]
    rows = await connection.fetch(
        """select m.chat_id, ts_headline(
                    'words', spaced(translate(message_text(m.parts), $5, '   ')),
                    $4::text::tsquery, $6) as headline
           from unnest($1::text[], $2::bigint[]) as f (chat_id, seq)
           join messages m on m.chat_id = f.chat_id and m.seq = f.seq
           join chats on chats.id = m.chat_id and chats.user_id = $3""",
        [chat_id for chat_id, _ in found],
        [seq for _, seq in found],
        user_id,
        wanted.words,
        OPEN + CLOSE + SEAM,
        HEADLINE,
    )
    return {row["chat_id"]: pieces(row["headline"]) for row in rows}


def pieces(headline: str) -> list[Piece]:
    """The text in order, matches apart: nothing in it is markup."""
    start, *marked = headline.replace(SEAM, "").replace(CLOSE + OPEN, "").split(OPEN)
    split = [Piece(start, is_match=False)]
    for text in marked:
        match, _, rest = text.partition(CLOSE)
        split += [Piece(match, is_match=True), Piece(rest, is_match=False)]
    return [piece for piece in split if piece.text]
