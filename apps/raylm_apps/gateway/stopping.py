"""Stopping an answer, whichever process writes it."""

import asyncio
from contextlib import suppress

import structlog

from raylm_apps.gateway.answer_log import AnswerKey
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.services import Services
from raylm_apps.gateway.store import answers
from raylm_apps.gateway.streams import BEGINNING

REMOTE_STOP_PATIENCE_S = 5.0
logger = structlog.get_logger()


async def stop_answer(gateway: Services, key: AnswerKey) -> bool:
    """True once it has ended."""
    return await gateway.generations.stop(key) or await stop_elsewhere(gateway, key)


async def stop_elsewhere(gateway: Services, key: AnswerKey) -> bool:
    """Ask the process that writes it, if it lives, and wait until the stream has ended."""
    if await gateway.recovery.settle_abandoned(key.chat_id):
        return True
    try:
        await gateway.streams.ask_to_stop(key)
        with suppress(TimeoutError):
            async with asyncio.timeout(REMOTE_STOP_PATIENCE_S):
                async for batch in gateway.streams.follow(key, BEGINNING):
                    if batch.ending is not None:
                        return True
    except UNAVAILABLE as error:
        logger.warning("nobody can be asked to stop", key=key.stream, error=str(error))
    return False


async def stop_user(gateway: Services, user_id: str) -> None:
    """Everything that is being written for a user, here and elsewhere."""
    for generation in gateway.generations.of_user(user_id):
        await gateway.generations.stop(generation.key)
    async with gateway.database.connection() as connection:
        streaming = await answers.streaming_for(connection, user_id)
    await asyncio.gather(*(stop_answer(gateway, AnswerKey(*key)) for key in streaming))
