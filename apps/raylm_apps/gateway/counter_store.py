"""The Redis that counts: asked on the way of every message, and left alone while it is away."""

import time
from typing import Any

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECTIONS = 8  # a flood waits for its turn, which is short, rather than opening hundreds
TIMEOUT_S = 1.0
AWAY_S = 1.0
logger = structlog.get_logger()


class CounterStore:
    """Until an outage is over, whoever wants to count does so in memory."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self.redis: Any = Redis.from_pool(pool)
        self._away_until = 0.0

    @property
    def is_up(self) -> bool:
        return time.monotonic() >= self._away_until

    def note_outage(self, error: BaseException) -> None:
        if self.is_up:
            logger.warning("redis is away: each process counts for itself", error=str(error))
        self._away_until = time.monotonic() + AWAY_S

    async def close(self) -> None:
        await self.redis.aclose()
