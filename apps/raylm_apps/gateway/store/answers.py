"""The states of growing answers, written in batches, and kept until PostgreSQL has them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import orjson
import structlog

from raylm_apps.gateway.store.messages import Message, Part, Status, message_of
from raylm_apps.gateway.store.pool import Connection, Database, OutageError

FIRST_RETRY_S, LAST_RETRY_S = 0.1, 2.0
log = structlog.get_logger()


@dataclass(frozen=True)
class AnswerState:
    chat_id: str
    id: str
    status: Status
    parts: list[Part]
    details: dict[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        return self.chat_id, self.id


class AnswerWriter:
    """Whatever gathers while one commit is under way goes into the next one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[tuple[str, str], AnswerState] = {}
        self._saved: dict[tuple[str, str], asyncio.Event] = {}
        self._wake = asyncio.Event()

    def save(self, state: AnswerState) -> asyncio.Event:
        """Replaces an older state that still waits; the event is set once it is durable."""
        self._waiting[state.key] = state
        self._wake.set()
        return self._saved.setdefault(state.key, asyncio.Event())

    @property
    def backlog(self) -> int:
        return len(self._saved)

    async def run(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._waiting = self._waiting, {}
            try:
                await self._write(list(batch.values()))
                retry_s = FIRST_RETRY_S
            except OutageError as error:
                log.warning("answers wait for the database", count=len(batch), error=str(error))
                self._waiting = batch | self._waiting
                self._wake.set()
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, LAST_RETRY_S)
                continue
            for key in batch.keys() - self._waiting.keys():
                self._saved.pop(key).set()

    async def drain(self, timeout_s: float) -> None:
        """Wait until all is durable, or as long as given."""
        waits = [asyncio.create_task(event.wait()) for event in self._saved.values()]
        if waits:
            await asyncio.wait(waits, timeout=timeout_s)

    async def _write(self, states: list[AnswerState]) -> None:
        """One statement for all; where it is refused, one by one, to lose only what must be.

        Who was chosen to give way in a deadlock (with a guest who signs in) tries again.
        """
        try:
            async with self._database.connection() as connection:
                await _update(connection, states)
        except asyncpg.TransactionRollbackError:
            for state in states:
                await self._write([state])
        except asyncpg.PostgresError as error:
            if len(states) == 1:
                log.error("an answer cannot be stored", id=states[0].id, error=str(error))
                return
            for state in states:
                await self._write([state])


async def _update(connection: Connection, states: list[AnswerState]) -> None:
    await connection.execute(
        """update messages set status = new.status, parts = new.parts::jsonb,
                               details = new.details::jsonb, updated_at = now()
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
             as new (chat_id, id, status, parts, details)
           where messages.chat_id = new.chat_id and messages.id = new.id
             and messages.role = 'assistant'""",
        [state.chat_id for state in states],
        [state.id for state in states],
        [state.status for state in states],
        [orjson.dumps(state.parts).decode() for state in states],
        [orjson.dumps(state.details).decode() for state in states],
    )


@dataclass(frozen=True)
class Unfinished:
    """An answer that the database believes to be streaming."""

    message: Message
    updated_at: datetime
    silent_s: float


async def unfinished(connection: Connection, chat_id: str | None = None) -> list[Unfinished]:
    """All of them, or those of one chat; ages by the database's own clock."""
    rows = await connection.fetch(
        """select *, extract(epoch from clock_timestamp() - updated_at)::float8 as silent_s
           from messages where status = 'streaming' and ($1::text is null or chat_id = $1)
           order by seq""",
        chat_id,
    )
    return [Unfinished(message_of(row), row["updated_at"], row["silent_s"]) for row in rows]


async def streaming_for(connection: Connection, user_id: str) -> list[tuple[str, str]]:
    """The chats and ids of a user's answers that have not ended."""
    rows = await connection.fetch(
        """select m.chat_id, m.id from messages m join chats on chats.id = m.chat_id
           where m.status = 'streaming' and chats.user_id = $1""",
        user_id,
    )
    return [(row["chat_id"], row["id"]) for row in rows]


async def recent(connection: Connection, user_id: str, within_s: float) -> list[tuple[str, str]]:
    """The chats and ids of a user's answers that Redis may still know."""
    rows = await connection.fetch(
        """select m.chat_id, m.id from messages m join chats on chats.id = m.chat_id
           where m.role = 'assistant' and chats.user_id = $1
             and m.updated_at > now() - make_interval(secs => $2)""",
        user_id,
        within_s,
    )
    return [(row["chat_id"], row["id"]) for row in rows]


async def settle(connection: Connection, seen: Unfinished, state: AnswerState) -> bool:
    """End an abandoned answer, unless it moved since it was seen: False then."""
    row = await connection.fetchrow(
        """update messages set status = $3, parts = $4, details = $5, updated_at = now()
           where chat_id = $1 and id = $2 and status = 'streaming' and updated_at = $6
           returning id""",
        state.chat_id,
        state.id,
        state.status,
        state.parts,
        state.details,
        seen.updated_at,
    )
    return row is not None


async def lock(connection: Connection, chat_id: str, message_id: str) -> Message | None:
    """An answer that nobody else changes until the transaction ends."""
    row = await connection.fetchrow(
        """select * from messages where chat_id = $1 and id = $2 and role = 'assistant'
           for update""",
        chat_id,
        message_id,
    )
    return None if row is None else message_of(row)


async def reopen(
    connection: Connection, chat_id: str, message_id: str, parts: list[Part]
) -> Message:
    """An answer that has ended goes on, from these parts."""
    row = await connection.fetchrow(
        """update messages set status = 'streaming', parts = $3, updated_at = now()
           where chat_id = $1 and id = $2 returning *""",
        chat_id,
        message_id,
        parts,
    )
    assert row is not None
    return message_of(row)
