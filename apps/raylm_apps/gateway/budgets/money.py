"""What tokens cost, in whole millionths of a dollar."""

from functools import lru_cache

from raylm.core.wire.events import Usage
from raylm_apps.gateway.providers.base import Prices

# A price in dollars for a million tokens is one in micro-dollars for each.
PARTS = 1_000_000


def cost_micros(usage: Usage, prices: Prices | None) -> int:
    """Rounded up; nothing where nobody knows the price."""
    if prices is None:
        return 0
    cached, written = usage.cached_tokens, usage.cache_write_tokens
    plain = max(usage.input_tokens - cached - written, 0)
    parts = (
        plain * _parts(prices.input)
        + cached * _parts(prices.input if prices.cached is None else prices.cached)
        + written * _parts(prices.input if prices.cache_write is None else prices.cache_write)
        + usage.output_tokens * _parts(prices.output)
    )
    return -(-parts // PARTS)


@lru_cache(maxsize=256)
def _parts(price: float) -> int:
    """An integer, so that a sum is exact."""
    return round(price * PARTS)
