"""Following an answer that may be written in another process, to its end whatever happens there."""

from collections.abc import AsyncIterator

import orjson
import structlog

from raylm_apps.gateway.answer_log import AnswerKey, EventId
from raylm_apps.gateway.approval import Continuation
from raylm_apps.gateway.services import Services
from raylm_apps.gateway.store import messages
from raylm_apps.gateway.store.messages import Status
from raylm_apps.gateway.store.pool import OutageError
from raylm_apps.gateway.streams import Batch

LOOK_EVERY = 4  # batches without an event
logger = structlog.get_logger()


async def follow(gateway: Services, key: AnswerKey, after: EventId) -> AsyncIterator[Batch]:
    """A silent stream is looked into: its producer may have died, or ended while Redis was away."""
    silent, is_over = 0, False
    async for batch in gateway.streams.follow(key, after):
        yield batch
        if batch.events:
            silent = 0
        elif is_over:
            return  # its last words, if any, had half a second to come
        else:
            silent += 1
            is_over = silent % LOOK_EVERY == 0 and not await _is_in_flight(gateway, key)


async def news(batches: AsyncIterator[Batch], continuation: Continuation) -> AsyncIterator[Batch]:
    """What follows a decision, for the client that made it."""
    async for batch in batches:
        events = [event for event in batch.events if continuation.is_news(orjson.loads(event[1]))]
        yield Batch(events, batch.ending)


async def _is_in_flight(gateway: Services, key: AnswerKey) -> bool:
    try:
        await gateway.recovery.settle_abandoned(key.chat_id)
        async with gateway.database.connection() as connection:
            answer = await messages.find(connection, key.chat_id, key.message_id)
    except OutageError as error:
        logger.warning("cannot look into a silent stream", error=str(error))
        return True
    return answer is not None and answer.status is Status.STREAMING
