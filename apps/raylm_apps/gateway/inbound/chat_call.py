"""A question of a client that speaks OpenAI's format, put to whichever provider answers it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from raylm.core.wire.events import Event, Finished, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.openai.chat_request import ChatRequest
from raylm.core.wire.openai.request_decoder import prompt_of
from raylm.core.wire.openai.stream_decoder import usage_of
from raylm.core.wire.openai.stream_encoder import ChatStreamEncoder, whole_answer
from raylm_apps.gateway.inbound.relayed_stream import RelayedStream
from raylm_apps.gateway.providers.base import ModelCard, Provider, Relay, relay_of
from raylm_apps.gateway.providers.upstream import told_as_failures

PATH = "/chat/completions"


class ChatCall:
    """Servers of the same format get what the client sent, and their answer goes through as it is;
    for all others both are translated. `usage` is known at the end."""

    def __init__(self, request: ChatRequest, body: Mapping[str, Any]) -> None:
        self._request = request
        self._body = body
        self._include_usage = request.stream_options.include_usage
        self.usage: Usage | None = None

    def start(
        self, model: ModelCard, provider: Provider, said: Sequence[bytes] = ()
    ) -> AsyncGenerator[bytes, None]:
        """Server-sent events, or the whole answer at once, as the client wants it."""
        relay = relay_of(provider)
        if self._request.stream:
            if relay is not None:
                return self._relayed(relay, model)
            return self._translated(provider, model)
        if relay is not None:
            return self._relayed_whole(relay, model)
        return self._translated_whole(provider, model)

    async def _relayed(self, relay: Relay, model: ModelCard) -> AsyncGenerator[bytes, None]:
        stream = RelayedStream(include_usage=self._include_usage)
        options = {"include_usage": True}  # which the budget wants, whatever the client does
        pieces = relay.relay(model, PATH, {**self._body, "stream_options": options})
        with told_as_failures(Failure.BROKEN_OFF):
            async with aclosing(pieces):
                async for piece in pieces:
                    if events := stream.feed(piece):
                        yield events
            if events := stream.end():
                yield events
        self.usage = stream.usage

    async def _relayed_whole(self, relay: Relay, model: ModelCard) -> AsyncGenerator[bytes, None]:
        pieces = relay.relay(model, PATH, self._body)
        with told_as_failures(Failure.BROKEN_OFF):
            async with aclosing(pieces):
                answer = b"".join([piece async for piece in pieces])
            usage = orjson.loads(answer).get("usage")
        self.usage = usage_of(usage) if usage else None
        yield answer

    async def _translated(
        self, provider: Provider, model: ModelCard
    ) -> AsyncGenerator[bytes, None]:
        encoder = ChatStreamEncoder(self._request.model, include_usage=self._include_usage)
        async with aclosing(self._events(provider, model)) as events:
            async for event in events:
                if encoded := encoder.encode(event):
                    yield encoded

    async def _translated_whole(
        self, provider: Provider, model: ModelCard
    ) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._events(provider, model)) as events:
            answer = whole_answer(self._request.model, [event async for event in events])
        yield orjson.dumps(answer)

    async def _events(self, provider: Provider, model: ModelCard) -> AsyncGenerator[Event, None]:
        async with aclosing(provider.stream(model, prompt_of(self._request))) as events:
            async for event in events:
                if isinstance(event, Finished):
                    self.usage = event.usage
                yield event
