"""The Redis that counts: asked on the way of every message, and left alone while it is away."""

import hashlib
import time
from collections.abc import Sequence
from functools import cache
from typing import Any

import structlog
from redis.exceptions import NoScriptError

from raylm_apps.gateway.redis_client import Argument, RedisPipe

TIMEOUT_S = 1.0
AWAY_S = 1.0
logger = structlog.get_logger()


class CounterStore:
    """Until an outage is over, whoever wants to count does so in memory."""

    def __init__(self, url: str) -> None:
        self._pipe = RedisPipe(url, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)
        self._away_until = 0.0

    @property
    def is_up(self) -> bool:
        return time.monotonic() >= self._away_until

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """A Lua script's reply, by its hash where Redis knows it. Raises one of UNAVAILABLE."""
        given = (len(keys), *keys, *arguments)
        try:
            return await self._pipe.call("EVALSHA", _sha1(script), *given)
        except NoScriptError:
            return await self._pipe.call("EVAL", script, *given)

    def note_outage(self, error: BaseException) -> None:
        if self.is_up:
            logger.warning("redis is away: each process counts for itself", error=str(error))
        self._away_until = time.monotonic() + AWAY_S

    async def close(self) -> None:
        await self._pipe.close()


@cache
def _sha1(script: str) -> bytes:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest().encode()
