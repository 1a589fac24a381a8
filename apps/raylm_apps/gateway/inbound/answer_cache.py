"""Answers kept for the same question of the same user, where the client wants that."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
import structlog
from fastapi import Header

from raylm_apps.gateway.redis_client import UNAVAILABLE, RedisPipe

MOST_BYTES = 1_000_000
LONGEST_S = 86_400
TIMEOUT_S = 1.0
logger = structlog.get_logger()

Ttl = Annotated[
    int,
    Header(
        alias="x-raylm-cache",
        ge=0,
        le=LONGEST_S,
        description="seconds for which an answer is kept for the same request by the same user",
    ),
]


@dataclass(frozen=True)
class Ticket:
    """Of one request: the key is a hash of who asks, where, and of the whole body."""

    key: str
    ttl_s: int

    @classmethod
    def of(cls, user_id: str, path: str, body: Mapping[str, Any], ttl_s: int) -> "Ticket | None":
        if ttl_s == 0:
            return None
        canonical = orjson.dumps([user_id, path, body], option=orjson.OPT_SORT_KEYS)
        return cls(f"answer:{hashlib.sha256(canonical).hexdigest()}", ttl_s)


class AnswerCache:
    """In Redis, for all processes; without it nothing is kept, and every question is asked."""

    def __init__(self, redis_url: str) -> None:
        self._pipe = RedisPipe(redis_url, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)

    async def find(self, ticket: Ticket) -> bytes | None:
        try:
            answer: bytes | None = await self._pipe.call("GET", ticket.key)
        except UNAVAILABLE as error:
            logger.warning("no answer is taken from the cache", error=str(error))
            return None
        return answer

    async def keep(self, ticket: Ticket, answer: bytes) -> None:
        if len(answer) > MOST_BYTES:
            return
        try:
            await self._pipe.call("SET", ticket.key, answer, "EX", ticket.ttl_s)
        except UNAVAILABLE as error:
            logger.warning("an answer is not kept in the cache", error=str(error))

    async def close(self) -> None:
        await self._pipe.close()
