"""Every model's circuit, shared in Redis by the gateway's processes.

Redis has a hash of what is open until when, by its own clock; each process reads it twice a
second, and tells it of failures. While Redis is away, each process knows its own.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from raylm.core.wire.failure import Failure
from raylm_apps.gateway.counter_store import CounterStore
from raylm_apps.gateway.redis_client import UNAVAILABLE
from raylm_apps.gateway.routing.circuit import COUNTED, PROBE_S, WINDOW_S, Circuit, State, Tolerance

HASH, FAILS, PROBE = "raylm:circuits", "raylm:circuit-fails:", "raylm:circuit-probe:"
READ_EVERY_S = 0.5
FORGOTTEN_MS = 3_600_000
MOST_UNTOLD = 10_000
_NOW = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
"""
# KEYS: the hash, the model's failures, its probe. ARGV: model, milliseconds that it is open for
# or 0 for a failure to be counted, allowed failures, window, cooldown.
TELL = f"""{_NOW}
local open_ms = tonumber(ARGV[2])
if open_ms == 0 then
  local fails = redis.call('INCR', KEYS[2])
  if fails == 1 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
  if fails > tonumber(ARGV[3]) then open_ms = tonumber(ARGV[5]) end
end
if open_ms > 0 then
  local before = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
  redis.call('HSET', KEYS[1], ARGV[1], math.max(before, now + open_ms))
  redis.call('DEL', KEYS[2], KEYS[3])
end
"""
CLOSE = """
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2], KEYS[3])
"""
CLAIM = f"""{_NOW}
local open_until = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if open_until > now then return 0 end
return redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[2]) and 1 or 0
"""
RELEASE = "redis.call('DEL', KEYS[3])"
READ = f"""{_NOW}
local left = {{}}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local ms = tonumber(all[i + 1]) - now
  if ms < -tonumber(ARGV[1]) then redis.call('HDEL', KEYS[1], all[i])
  else table.insert(left, all[i]); table.insert(left, ms) end
end
return left
"""


@dataclass(frozen=True)
class _News:
    model: str
    script: str
    arguments: tuple[int, ...] = ()


class CircuitBoard:
    """`on_change` is told of each model whose circuit opens or closes."""

    def __init__(
        self,
        redis_url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, bool], None] = lambda model, is_open: None,
    ) -> None:
        self._store = CounterStore(redis_url)
        self._clock = clock
        self._on_change = on_change
        self._circuits: dict[str, Circuit] = {}
        self._untold: list[_News] = []
        self._wake = asyncio.Event()

    def state(self, model: str) -> State:
        return self._circuit(model).state(self._clock())

    def may_ask(self, model: str) -> bool:
        return model not in self._circuits or self._circuit(model).may_ask(self._clock())

    def open_for_s(self, model: str) -> float:
        """Seconds until one may ask again."""
        return max((self._circuit(model).open_until or 0.0) - self._clock(), 0.0)

    async def admit(self, model: str) -> bool:
        """Whether this request may ask; of a half-open circuit it is then the one probe."""
        if self.state(model) is State.CLOSED:
            return True
        if not self.may_ask(model):
            return False
        self._circuits[model] = self._circuit(model).probed(self._clock())
        if not self._store.is_up:
            return True
        try:
            return bool(await self._run(_News(model, CLAIM, (_ms(PROBE_S),))))
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return True
        except BaseException:
            self.released(model)
            raise

    def failed(
        self,
        model: str,
        failure: Failure,
        tolerance: Tolerance,
        retry_after_s: float | None = None,
    ) -> None:
        if failure not in COUNTED:
            self.succeeded(model)  # whatever it has refused, it is there
            return
        now, before = self._clock(), self._circuit(model)
        after = before.failed(now, tolerance, retry_after_s)
        self._set(model, after)
        opened_for_s = (after.open_until or now) - now if after != before else 0.0
        if before.state(now) is not State.OPEN or opened_for_s:
            allowed, cooldown_s = tolerance.allowed_fails, tolerance.cooldown_s
            more = (_ms(opened_for_s), allowed, _ms(WINDOW_S), _ms(cooldown_s))
            self._tell(_News(model, TELL, more))

    def succeeded(self, model: str) -> None:
        before = self._circuit(model)
        after = before.succeeded(self._clock())
        if after is not before:
            self._set(model, after)
            self._tell(_News(model, CLOSE))

    def released(self, model: str) -> None:
        """Whoever was admitted has gone without news."""
        if self.state(model) is State.HALF_OPEN:
            self._set(model, self._circuit(model).released())
            self._tell(_News(model, RELEASE))

    async def run(self) -> None:
        """Tell, then read; soon after there is news, else twice a second."""
        while True:
            try:
                async with asyncio.timeout(READ_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            if self._store.is_up:
                await self._exchange()
            else:
                await asyncio.sleep(READ_EVERY_S)

    async def close(self) -> None:
        await self._store.close()

    async def _exchange(self) -> None:
        try:
            while self._untold:
                await self._run(self._untold[0])
                del self._untold[0]
            left = await self._store.run(READ, [HASH], [FORGOTTEN_MS])
        except UNAVAILABLE as error:
            self._store.note_outage(error)
            return
        names = [name.decode() for name in left[::2]]
        self._merge(dict(zip(names, left[1::2], strict=True)))

    def _merge(self, left_ms: dict[str, int]) -> None:
        """What Redis says counts, but for models of which it has not heard the newest."""
        now = self._clock()
        unheard = {news.model for news in self._untold}
        for model in left_ms.keys() - unheard:
            until, known = now + left_ms[model] / 1000, self._circuit(model).open_until
            if known is None or abs(known - until) > READ_EVERY_S:
                self._set(model, Circuit(open_until=until))
        for model in self._circuits.keys() - left_ms.keys() - unheard:
            if self._circuits[model].open_until is not None:
                self._set(model, Circuit())  # somebody's probe has succeeded

    def _circuit(self, model: str) -> Circuit:
        return self._circuits.get(model, _CLOSED)

    def _set(self, model: str, circuit: Circuit) -> None:
        was_open = self._circuit(model).open_until is not None
        self._circuits[model] = circuit
        if circuit == _CLOSED:
            del self._circuits[model]
        is_open = circuit.open_until is not None
        if is_open != was_open:
            self._on_change(model, is_open)

    def _tell(self, news: _News) -> None:
        self._untold = [*self._untold, news][-MOST_UNTOLD:]
        self._wake.set()

    async def _run(self, news: _News) -> object:
        keys = [HASH, FAILS + news.model, PROBE + news.model]
        return await self._store.run(news.script, keys, [news.model, *news.arguments])


_CLOSED = Circuit()


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
