"""An answer's beginning, awaited before a status is sent: failures can still have theirs."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, Protocol

from fastapi.responses import Response

from raylm.core.wire.events import Usage
from raylm_apps.gateway.allowance import Allowance
from raylm_apps.gateway.inbound.answer_cache import Ticket
from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.sse import EventStream

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
JSON, EVENTS = "application/json", "text/event-stream"


class Call(Protocol):
    """`path` and `body` are what the client sent where."""

    path: str
    body: Mapping[str, Any]
    stream: bool
    usage: Usage | None

    def start(
        self, model: ModelCard, provider: Provider, said: Sequence[bytes] = ()
    ) -> AsyncGenerator[bytes, None]: ...


class Opening:
    """`error_frame` is how the client's format ends a stream that broke off."""

    def __init__(
        self,
        allowance: Allowance,
        error_frame: Callable[[Exception], bytes],
        *,
        cache_s: int | None = None,
    ) -> None:
        self._allowance = allowance
        self._cache = allowance.gateway.answer_cache
        self._error_frame = error_frame
        self._cache_s = cache_s

    async def respond(self, model_id: str, call: Call) -> Response:
        """Raises ApiError, ProviderError or RequestError."""
        provider, card = await self._allowance.gateway.catalog.resolve(model_id)
        user_id = self._allowance.session.user_id
        ticket = Ticket.of(user_id, call.path, call.body, self._cache_s)
        if ticket is not None and (kept := await self._cache.find(ticket)) is not None:
            media_type = EVENTS if call.stream else JSON
            return Response(kept, media_type=media_type, headers={"x-raylm-cache": "hit"})
        if (refusal := await self._allowance.take()) is not None:
            raise refusal
        pieces = call.start(card, provider)
        first = await anext(pieces)
        give_back = self._allowance.kept()
        headers = {"x-raylm-cache": "miss"} if ticket is not None else {}
        if call.stream:
            response = EventStream(
                self._body(first, pieces, ticket), headers={**HEADERS, **headers}
            )
            response.when_sent = give_back
            return response
        give_back()
        await pieces.aclose()
        if ticket is not None:
            await self._cache.keep(ticket, first)
        return Response(first, media_type=JSON, headers=headers)

    async def _body(
        self, first: bytes, pieces: AsyncGenerator[bytes, None], ticket: Ticket | None
    ) -> AsyncGenerator[bytes, None]:
        """What is to be kept is kept once it is whole."""
        sent = [first]
        try:
            yield first
            async for piece in pieces:
                if ticket is not None:
                    sent.append(piece)
                yield piece
        except Exception as error:
            yield self._error_frame(error)
        else:
            if ticket is not None:
                await self._cache.keep(ticket, b"".join(sent))
        finally:
            await pieces.aclose()
