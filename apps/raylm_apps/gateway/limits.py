"""How often something may happen: windows counted in Redis, for all processes at once.

A window begins with the first event and ends after its length; what is refused is not counted.
While Redis is away each process counts for itself, from what it last heard.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from raylm_apps.gateway.counter_store import CounterStore
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.redis_client import UNAVAILABLE

# One script, so that of many requests at once no more pass than there is room for. All of the
# counts have room, and each grows; or one has none, and nothing changes.
SPEND = """
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') >= tonumber(ARGV[2 * i - 1]) then
    return {i, redis.call('PTTL', key)}
  end
end
local counted = {0}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if count == 1 then redis.call('PEXPIRE', key, ARGV[2 * i]) end
  table.insert(counted, count)
  table.insert(counted, redis.call('PTTL', key))
end
return counted
"""
GIVE_BACK = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
"""
FORGET = "redis.call('DEL', KEYS[1])"
MOST_LOCAL = 50_000


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
        self._drop_ended()
        return None

    def learn(self, claim: Claim, count: int, left_s: float) -> None:
        self._windows[claim.key] = (count, self._clock() + left_s)
        self._drop_ended()

    def give_back(self, claims: tuple[Claim, ...]) -> None:
        for claim in claims:
            count, ends_at = self._windows.get(claim.key, (0, 0.0))
            if count > 0:
                self._windows[claim.key] = (count - 1, ends_at)

    def forget(self, claim: Claim) -> None:
        self._windows.pop(claim.key, None)

    def _drop_ended(self) -> None:
        """Of too many that go on, the oldest half goes: memory is bounded before all."""
        if len(self._windows) > MOST_LOCAL:
            now = self._clock()
            going_on = [found for found in self._windows.items() if found[1][1] > now]
            self._windows = dict(going_on[-MOST_LOCAL // 2 :])

    def _current(self, claim: Claim, now: float) -> tuple[int, float]:
        count, ends_at = self._windows.get(claim.key, (0, 0.0))
        return (count, ends_at) if ends_at > now else (0, now + claim.limit.window_s)


class Limits:
    def __init__(self, redis_url: str, *, enforced: bool = True) -> None:
        self._store = CounterStore(redis_url)
        self._enforced = enforced
        self._local = Windows()

    async def spend(self, *claims: Claim) -> None:
        """All or none. Raises rate_limit, with the seconds to wait."""
        if not self._enforced or not claims:
            return
        if self._store.is_up:
            error = await self._spend_in_redis(claims)
        else:
            error = self._local.spend(claims)
        if error is not None:
            raise error

    async def give_back(self, *claims: Claim) -> None:
        """What was spent was for nothing."""
        self._local.give_back(claims)
        await self._tell(GIVE_BACK, claims)

    async def forget(self, claim: Claim) -> None:
        """What counted towards a limit turned out to be well."""
        self._local.forget(claim)
        await self._tell(FORGET, (claim,))

    async def close(self) -> None:
        await self._store.close()

    async def _tell(self, script: str, claims: tuple[Claim, ...]) -> None:
        if self._enforced and self._store.is_up and claims:
            try:
                await self._store.run(script, [claim.key for claim in claims], [])
            except UNAVAILABLE as error:
                self._store.note_outage(error)

    async def _spend_in_redis(self, claims: tuple[Claim, ...]) -> ApiError | None:
        room = [
            number
            for claim in claims
            for number in (claim.limit.most, round(claim.limit.window_s * 1000))
        ]
        try:
            reply: list[int] = await self._store.run(SPEND, [claim.key for claim in claims], room)
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return self._local.spend(claims)
        full, *numbers = reply
        if full:
            return claims[full - 1].refusal(numbers[0] / 1000)
        for claim, count, left_ms in zip(claims, numbers[::2], numbers[1::2], strict=True):
            self._local.learn(claim, count, left_ms / 1000)
        return None
