"""How often something may happen: windows counted in Redis, for all processes at once.

A window begins with the first event and ends after its length; what is refused is not counted.
While Redis is away each process counts for itself, from nothing.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.streams import PATIENCE_S, UNAVAILABLE, connect

# One script, so that of many requests at once no more pass than there is room for. All of the
# counts have room, and each grows; or one has none, and nothing changes.
SPEND = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
    return {i, redis.call('PTTL', key)}
  end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCR', key) == 1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
end
return {0, 0}
"""
AWAY_S = 1.0  # a Redis that did not answer is not asked again for so long
MOST_LOCAL = 50_000
logger = structlog.get_logger()


@dataclass(frozen=True)
class Limit:
    name: str
    most: int
    window_s: float
    code: str

    def of(self, subject: str) -> "Claim":
        return Claim(self, subject)


@dataclass(frozen=True)
class Claim:
    """One event of a user, an address or an account."""

    limit: Limit
    subject: str

    @property
    def key(self) -> str:
        return f"limit:{self.limit.name}:{self.subject}"

    def refusal(self, retry_after_s: float) -> ApiError:
        hours = self.limit.window_s / 3600
        window = f"{hours:g} h" if hours >= 1 else f"{self.limit.window_s / 60:g} min"
        cause = f"at most {self.limit.most} in {window}"
        return ApiError(self.limit.code, cause, retry_after_s=retry_after_s)


class Windows:
    """The same counts in memory, for when Redis is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}

    def spend(self, claims: tuple[Claim, ...]) -> ApiError | None:
        now = self._clock()
        found = {claim.key: self._current(claim, now) for claim in claims}
        for claim in claims:
            count, ends_at = found[claim.key]
            if count >= claim.limit.most:
                return claim.refusal(ends_at - now)
        for key, (count, ends_at) in found.items():
            self._windows[key] = (count + 1, ends_at)
        if len(self._windows) > MOST_LOCAL:
            self._windows = {key: found for key, found in self._windows.items() if found[1] > now}
        return None

    def forget(self, claim: Claim) -> None:
        self._windows.pop(claim.key, None)

    def _current(self, claim: Claim, now: float) -> tuple[int, float]:
        count, ends_at = self._windows.get(claim.key, (0, 0.0))
        return (count, ends_at) if ends_at > now else (0, now + claim.limit.window_s)


class Limits:
    def __init__(self, redis_url: str, *, enforced: bool = True) -> None:
        self._redis: Any = connect(redis_url, timeout_s=PATIENCE_S)
        self._spend = self._redis.register_script(SPEND)
        self._enforced = enforced
        self._local = Windows()
        self._away_until = 0.0

    async def spend(self, *claims: Claim) -> None:
        """All or none. Raises rate_limit, with the seconds to wait."""
        if not self._enforced or not claims:
            return
        error = await self._spend_in_redis(claims) if self._is_up else self._local.spend(claims)
        if error is not None:
            raise error

    async def forget(self, claim: Claim) -> None:
        """What counted towards a limit turned out to be well."""
        self._local.forget(claim)
        if self._enforced and self._is_up:
            try:
                await self._redis.delete(claim.key)
            except UNAVAILABLE as error:
                self._note_outage(error)

    async def close(self) -> None:
        await self._redis.aclose()

    @property
    def _is_up(self) -> bool:
        return time.monotonic() >= self._away_until

    async def _spend_in_redis(self, claims: tuple[Claim, ...]) -> ApiError | None:
        room = [
            number
            for claim in claims
            for number in (claim.limit.most, round(claim.limit.window_s * 1000))
        ]
        try:
            full, left_ms = await self._spend(keys=[claim.key for claim in claims], args=room)
        except UNAVAILABLE as error:
            self._note_outage(error)
            return self._local.spend(claims)
        return claims[full - 1].refusal(left_ms / 1000) if full else None

    def _note_outage(self, error: BaseException) -> None:
        self._away_until = time.monotonic() + AWAY_S
        logger.warning("limits are counted by each process alone", error=str(error))
