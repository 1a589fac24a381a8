"""Answers whose producer died: found by their silence, ended with what is left of them."""

import asyncio

import orjson
import structlog

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.ending import Ending
from raylm_apps.gateway.generations import Generations
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.store import answers
from raylm_apps.gateway.store.answers import AnswerState, Unfinished
from raylm_apps.gateway.store.messages import Part, Status
from raylm_apps.gateway.store.pool import Database, OutageError
from raylm_apps.gateway.streams import AnswerStreams, Batch
from raylm_apps.gateway.ui_message import MessageFold, settled

SILENCE_WITHOUT_REDIS_S = 60.0
TOLD = frozenset({"finishReason", "usage", "error"})
TOLD_IN_PARTS = ("input", "output", "errorText", "data", "url", "providerMetadata")
logger = structlog.get_logger()


def is_abandoned(*, has_lease: bool | None, silent_s: float, lease_s: float) -> bool:
    """`has_lease` is None while Redis is away: then only a long silence tells.

    An answer that was stored a moment ago is never abandoned: its lease may be on its way.
    """
    if has_lease is None:
        return silent_s > SILENCE_WITHOUT_REDIS_S
    return not has_lease and silent_s > lease_s


class Recovery:
    def __init__(
        self,
        database: Database,
        streams: AnswerStreams,
        generations: Generations,
        *,
        lease_s: float,
        stream_ttl_s: int,
    ) -> None:
        self._database = database
        self._streams = streams
        self._generations = generations
        self._lease_s = lease_s
        self._stream_ttl_s = stream_ttl_s

    async def settle_abandoned(self, chat_id: str | None = None) -> int:
        """End every abandoned answer of a chat, or of all; returns how many."""
        async with self._database.connection() as connection:
            unfinished = await answers.unfinished(connection, chat_id)
        return sum([await self._settle_if_abandoned(seen) for seen in unfinished])

    async def sweep_every(self, seconds: float) -> None:
        while True:
            try:
                if count := await self.settle_abandoned():
                    logger.warning("abandoned answers kept as interrupted", count=count)
            except OutageError as error:
                logger.warning("no sweep for abandoned answers", error=str(error))
            await asyncio.sleep(seconds)

    async def _settle_if_abandoned(self, seen: Unfinished) -> bool:
        key = AnswerKey(seen.message.chat_id, seen.message.id)
        if self._generations.find(key) is not None:
            return False
        left: Batch | None = None
        has_lease: bool | None = None
        try:
            has_lease = await self._streams.has_lease(key)
            left = await self._streams.read_all(key)
        except UNAVAILABLE:
            pass  # the last checkpoint will have to do
        if not is_abandoned(has_lease=has_lease, silent_s=seen.silent_s, lease_s=self._lease_s):
            return False
        return await self._settle(key, seen, left)

    async def _settle(self, key: AnswerKey, seen: Unfinished, left: Batch | None) -> bool:
        fold = MessageFold()
        for _, data in left.events if left else ():
            fold.add(orjson.loads(data))
        ending = _ending(fold, left)
        closing = [*fold.closing_parts(), *ending.parts()]
        state = AnswerState(
            key.chat_id,
            key.message_id,
            ending.status,
            settled(richer(fold.parts(), seen.message.parts)),
            ending.details,
        )
        async with self._database.connection() as connection:
            is_settled = await answers.settle(connection, seen, state)
        if is_settled and left is not None and left.ending is None:
            await self._end_stream(key, [orjson.dumps(part) for part in closing], ending)
        return is_settled

    async def _end_stream(self, key: AnswerKey, parts: list[bytes], ending: Ending) -> None:
        try:
            await self._streams.end(key, parts, ending.status, self._stream_ttl_s)
        except UNAVAILABLE as error:
            logger.warning("a stream stays open until it expires", key=key.stream, error=str(error))


def _ending(fold: MessageFold, left: Batch | None) -> Ending:
    """The producer may have lived to tell Redis how it ended, but not PostgreSQL."""
    if left is None or left.ending is None:
        return Ending(Status.INTERRUPTED)
    details = {name: value for name, value in fold.metadata.items() if name in TOLD}
    return Ending(Status(left.ending), details)


def richer(one: list[Part], other: list[Part]) -> list[Part]:
    """Stream and checkpoint both grow only; the longer one is the later one."""
    return max(one, other, key=lambda parts: sum(map(_weight, parts)))


def _weight(part: Part) -> int:
    told = [part[name] for name in TOLD_IN_PARTS if name in part]
    return len(part.get("text", "")) + len(orjson.dumps(told))
