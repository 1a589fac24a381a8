"""What Redis has of circuits: what is open until when, how often it failed, who probes it.

All times are its own clock's; what goes in and out is milliseconds from now.
"""

from dataclasses import dataclass

from raylm_apps.gateway.counter_store import CounterStore

HASH, FAILS, PROBE = "raylm:circuits", "raylm:circuit-fails:", "raylm:circuit-probe:"
FORGOTTEN_MS = 3_600_000
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
class News:
    """A script to be run about a model."""

    model: str
    script: str
    arguments: tuple[int, ...] = ()


class CircuitStore(CounterStore):
    """Its methods raise one of UNAVAILABLE."""

    async def tell(self, news: News) -> bool:
        keys = [HASH, FAILS + news.model, PROBE + news.model]
        return bool(await self.run(news.script, keys, [news.model, *news.arguments]))

    async def left_ms(self) -> dict[str, int]:
        """Of every circuit that is not closed; below zero: half-open."""
        left = await self.run(READ, [HASH], [FORGOTTEN_MS])
        return dict(zip([name.decode() for name in left[::2]], left[1::2], strict=True))
