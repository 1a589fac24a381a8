"""A question of a client that speaks Anthropic's format, put to whichever provider answers it."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson

from raylm.core.errors import RequestError
from raylm.core.wire.anthropic.message import whole_message
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import CountRequest, MessagesRequest
from raylm.core.wire.anthropic.stream_encoder import MessageStreamEncoder, as_sse
from raylm.core.wire.events import Event, Finished, Usage
from raylm.core.wire.failure import Failure, WireError
from raylm.core.wire.prompt import Prompt
from raylm_apps.gateway.budgets.estimate import Size, size_of
from raylm_apps.gateway.providers.base import ModelCard, Provider, ProviderError
from raylm_apps.gateway.routing.chat_call import continued


class MessagesCall:
    """The events of one message, whoever says them: another model goes on in the same block."""

    path = "/messages"

    def __init__(self, request: MessagesRequest, body: Mapping[str, Any], user_id: str) -> None:
        """Raises RequestError."""
        self.body = body
        self.stream = bool(request.stream)
        self.usage: Usage | None = None
        self._model = request.model
        self._prompt = replace(asked_prompt(request), user=user_id)
        self._encoder = MessageStreamEncoder(request.model)

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
        events = provider.stream(card, continued(self._prompt, _text_of(said)))
        return self._streamed(events, bool(said)) if self.stream else self._whole(events)

    async def _streamed(
        self, events: AsyncGenerator[Event, None], has_begun: bool
    ) -> AsyncGenerator[bytes, None]:
        chunks = [] if has_begun else self._encoder.start()
        async with aclosing(events):
            async for event in events:
                self._note(event)
                if chunks := [*chunks, *self._encoder.encode(event)]:
                    yield b"".join(map(as_sse, chunks))
                    chunks = []

    async def _whole(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[bytes, None]:
        encoder = MessageStreamEncoder(self._model)
        chunks = encoder.start()
        async with aclosing(events):
            async for event in events:
                self._note(event)
                chunks += encoder.encode(event)
        yield orjson.dumps(whole_message(chunks))

    def _note(self, event: Event) -> None:
        if isinstance(event, Finished):
            self.usage = event.usage


def asked_prompt(request: CountRequest) -> Prompt:
    """Raises RequestError where nothing is asked."""
    try:
        return prompt_of(request)
    except WireError as error:
        raise RequestError(error.cause) from None


def _text_of(said: Iterable[bytes]) -> str:
    """What a reader has got of a message. Raises ProviderError for half a tool call."""
    text = ""
    for event in b"".join(said).split(b"\n\n")[:-1]:
        chunk = orjson.loads(event.partition(b"data:")[2])
        if chunk.get("content_block", {}).get("type") == "tool_use":
            raise ProviderError.of(Failure.BROKEN_OFF, "it had begun with a tool call")
        text += chunk.get("delta", {}).get("text", "")
    return text
