"""A question of a client that speaks OpenAI's format, put to whichever provider answers it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import orjson

from raylm.core.wire.events import Event, Finished, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai.stream_decoder import usage_of
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.inbound.relayed_stream import RelayedStream
from raylm_apps.gateway.providers.base import ModelCard, Provider, Relay, relay_of
from raylm_apps.gateway.providers.upstream import told_as_failures


class Encoder(Protocol):
    def encode(self, event: Event) -> bytes:
        """Server-sent events, none where the format has none."""
        ...


class Translation(Protocol):
    """Between one of OpenAI's routes and what providers of other formats are asked and answer."""

    path: str
    """Of the same route at a provider."""
    stream: bool
    include_usage: bool

    def prompt(self) -> Prompt:
        """Raises RequestError for what only servers of OpenAI's own format can do."""
        ...

    def encoder(self) -> Encoder: ...

    def whole(self, events: Sequence[Event]) -> dict[str, Any]:
        """The answer that is not streamed."""
        ...


class OpenAICall:
    """Servers of the same format get what the client sent, and their answer goes through as it is;
    for all others both are translated. `usage` is known at the end."""

    def __init__(self, translation: Translation, body: Mapping[str, Any]) -> None:
        self.path = translation.path
        self.body = body
        self.stream = translation.stream
        self._translation = translation
        self.usage: Usage | None = None

    def start(
        self, model: ModelCard, provider: Provider, said: Sequence[bytes] = ()
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events, or the whole answer at once, as the client wants it."""
        relay = relay_of(provider)
        if self.stream:
            if relay is not None:
                return self._relayed(relay, model)
            return self._translated(provider, model)
        if relay is not None:
            return self._relayed_whole(relay, model)
        return self._translated_whole(provider, model)

    async def _relayed(self, relay: Relay, model: ModelCard) -> AsyncGenerator[bytes, None]:
        stream = RelayedStream(include_usage=self._translation.include_usage)
        options = {"include_usage": True}  # which the budget wants, whatever the client does
        body = {**self.body, "stream_options": options}
        pieces = relay.relay(model, self.path, body)
        with told_as_failures(Failure.BROKEN_OFF):
            async with aclosing(pieces):
                async for piece in pieces:
                    if events := stream.feed(piece):
                        yield events
            if events := stream.end():
                yield events
        self.usage = stream.usage

    async def _relayed_whole(self, relay: Relay, model: ModelCard) -> AsyncGenerator[bytes, None]:
        pieces = relay.relay(model, self.path, self.body)
        with told_as_failures(Failure.BROKEN_OFF):
            async with aclosing(pieces):
                answer = b"".join([piece async for piece in pieces])
            usage = orjson.loads(answer).get("usage")
        self.usage = usage_of(usage) if usage else None
        yield answer

    async def _translated(
        self, provider: Provider, model: ModelCard
    ) -> AsyncGenerator[bytes, None]:
        encoder = self._translation.encoder()
        async with aclosing(self._events(provider, model)) as events:
            async for event in events:
                if encoded := encoder.encode(event):
                    yield encoded

    async def _translated_whole(
        self, provider: Provider, model: ModelCard
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._events(provider, model)) as events:
            answer = self._translation.whole([event async for event in events])
        yield orjson.dumps(answer)

    async def _events(self, provider: Provider, model: ModelCard) -> AsyncGenerator[Event, None]:
        async with aclosing(provider.stream(model, self._translation.prompt())) as events:
            async for event in events:
                if isinstance(event, Finished):
                    self.usage = event.usage
                yield event
