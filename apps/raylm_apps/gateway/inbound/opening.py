"""An answer's beginning, awaited before a status is sent: failures can still have theirs."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from fastapi.responses import Response

from raylm.core.wire.events import Usage
from raylm_apps.gateway.allowance import Allowance
from raylm_apps.gateway.providers.base import ModelCard, Provider
from raylm_apps.gateway.sse import EventStream

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class Call(Protocol):
    usage: Usage | None

    def start(
        self, model: ModelCard, provider: Provider, said: Sequence[bytes] = ()
    ) -> AsyncGenerator[bytes, None]: ...


class Opening:
    """`error_frame` is how the client's format ends a stream that broke off."""

    def __init__(self, allowance: Allowance, error_frame: Callable[[Exception], bytes]) -> None:
        self._allowance = allowance
        self._error_frame = error_frame

    async def respond(self, model_id: str, call: Call, *, stream: bool) -> Response:
        """Raises ApiError, ProviderError or RequestError."""
        provider, card = await self._allowance.gateway.catalog.resolve(model_id)
        if (refusal := await self._allowance.take()) is not None:
            raise refusal
        pieces = call.start(card, provider)
        first = await anext(pieces)
        if not stream:
            await pieces.aclose()
            return Response(first, media_type="application/json")
        response = EventStream(self._body(first, pieces), headers=HEADERS)
        response.when_sent = self._allowance.kept()
        return response

    async def _body(
        self, first: bytes, pieces: AsyncGenerator[bytes, None]
    ) -> AsyncGenerator[bytes, None]:
        try:
            yield first
            async for piece in pieces:
                yield piece
        except Exception as error:
            yield self._error_frame(error)
        finally:
            await pieces.aclose()
