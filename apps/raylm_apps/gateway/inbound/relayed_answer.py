"""A whole answer that goes through as it is."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import orjson

from raylm.core.wire.events import Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai.stream_decoder import usage_of
from raylm_apps.gateway.providers.base import ModelCard, Relay
from raylm_apps.gateway.providers.upstream import told_as_failures


async def relayed_answer(
    relay: Relay, card: ModelCard, path: str, body: Mapping[str, Any]
) -> tuple[bytes, Usage | None]:
    """With what it has used, if it says so. Raises ProviderError."""
    with told_as_failures(Failure.BROKEN_OFF):
        async with aclosing(relay.relay(card, path, body)) as pieces:
            answer = b"".join([piece async for piece in pieces])
        usage = orjson.loads(answer).get("usage")
        return answer, usage_of(usage) if usage else None
