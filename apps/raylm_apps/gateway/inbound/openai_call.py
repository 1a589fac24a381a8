"""A question of a client that speaks OpenAI's format, put to whichever provider answers it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import orjson

from raylm.core.wire.events import Event, Finished, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.inbound.relayed_answer import relayed_answer
from raylm_apps.gateway.inbound.relayed_stream import RelayedStream, text_of
from raylm_apps.gateway.providers.base import ModelCard, Provider, Relay, relay_of
from raylm_apps.gateway.providers.upstream import told_as_failures
from raylm_apps.gateway.routing.chat_call import continued


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

    @property
    def size(self) -> Size: ...

    def prompt(self) -> Prompt:
        """Raises RequestError for what only servers of OpenAI's own format can do."""
        ...

    def continued(self, text: str) -> Mapping[str, Any]:
        """What of the body changes for a model that is to go on after this text. Raises
        ProviderError where none can."""
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

    @property
    def size(self) -> Size:
        return self._translation.size

    @property
    def goes_on(self) -> bool:
        return self.stream

    def start(
        self, card: ModelCard, provider: Provider, said: Sequence[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events, or the whole answer at once, as the client wants it."""
        relay, text = relay_of(provider), text_of(said)
        if self.stream:
            if relay is not None:
                more = self._translation.continued(text) if text else {}
                return self._relayed(relay, card, {**self.body, **more})
            return self._translated(provider, card, text)
        if relay is not None:
            return self._relayed_whole(relay, card)
        return self._translated_whole(provider, card)

    async def _relayed(
        self, relay: Relay, model: ModelCard, body: Mapping[str, Any]
    ) -> AsyncGenerator[bytes, None]:
        stream = RelayedStream(include_usage=self._translation.include_usage)
        options = {"include_usage": True}  # which the budget wants, whatever the client does
        pieces = relay.relay(model, self.path, {**body, "stream_options": options})
        with told_as_failures(Failure.BROKEN_OFF):
            async with aclosing(pieces):
                async for piece in pieces:
                    if events := stream.feed(piece):
                        yield events
            if events := stream.end():
                yield events
        self.usage = stream.usage

    async def _relayed_whole(self, relay: Relay, model: ModelCard) -> AsyncGenerator[bytes, None]:
        answer, self.usage = await relayed_answer(relay, model, self.path, self.body)
        yield answer

    async def _translated(
        self, provider: Provider, model: ModelCard, text: str
    ) -> AsyncGenerator[bytes, None]:
        encoder = self._translation.encoder()
        async with aclosing(self._events(provider, model, text)) as events:
            async for event in events:
                if encoded := encoder.encode(event):
                    yield encoded

    async def _translated_whole(
        self, provider: Provider, model: ModelCard
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._events(provider, model)) as events:
            answer = self._translation.whole([event async for event in events])
        yield orjson.dumps(answer)

    async def _events(
        self, provider: Provider, model: ModelCard, text: str = ""
    ) -> AsyncGenerator[Event, None]:
        prompt = continued(self._translation.prompt(), text)
        async with aclosing(provider.stream(model, prompt)) as events:
            async for event in events:
                if isinstance(event, Finished):
                    self.usage = event.usage
                yield event
