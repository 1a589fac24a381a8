"""A question of a client that speaks Anthropic's format, put to whichever provider answers it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from raylm.core.wire.anthropic.message import whole_message
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import MessagesRequest
from raylm.core.wire.anthropic.stream_encoder import MessageStreamEncoder, as_sse
from raylm.core.wire.events import Event, Finished, TextDelta, ToolCallStarted, Usage
from raylm.core.wire.failure import Failure
from raylm_apps.gateway.budgets.estimate import Size, size_of
from raylm_apps.gateway.providers.base import ModelCard, Provider, ProviderError
from raylm_apps.gateway.routing.chat_call import continued


class MessagesCall:
    """The events of one message, whoever says them: another model goes on in the same block."""

    path = "/messages"

    def __init__(self, request: MessagesRequest, body: Mapping[str, Any], user_id: str) -> None:
        self.body = body
        self.stream = bool(request.stream)
        self.usage: Usage | None = None
        self._model = request.model
        self._prompt = replace(prompt_of(request), user=user_id)
        self._encoder = MessageStreamEncoder(request.model)
        self._has_begun = False
        self._has_called = False
        self._text = ""

    @property
    def size(self) -> Size:
        return size_of(self._prompt)

    @property
    def goes_on(self) -> bool:
        return self.stream

    def start(
        self, card: ModelCard, provider: Provider, said: Sequence[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """Raises ProviderError where nobody else can go on: half a tool call is void."""
        if self._has_called:
            raise ProviderError.of(Failure.BROKEN_OFF, "it had begun with a tool call")
        events = provider.stream(card, continued(self._prompt, self._text))
        return self._streamed(events) if self.stream else self._whole(events)

    async def _streamed(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
        async with aclosing(events):
            async for event in events:
                self._note(event)
                chunks = [] if self._has_begun else self._encoder.start()
                self._has_begun = True
                if chunks := [*chunks, *self._encoder.encode(event)]:
                    yield b"".join(map(as_sse, chunks))

    async def _whole(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
        encoder = MessageStreamEncoder(self._model)
        chunks = encoder.start()
        async with aclosing(events):
            async for event in events:
                self._note(event)
                chunks += encoder.encode(event)
        yield orjson.dumps(whole_message(chunks))

    def _note(self, event: Event) -> None:
        match event:
            case TextDelta(text) if self.stream:
                self._text += text
            case ToolCallStarted() if self.stream:
                self._has_called = True
            case Finished():
                self.usage = event.usage
