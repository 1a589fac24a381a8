"""An answer's beginning, awaited before a status is sent: failures can still have theirs."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Send

from raylm.core.wire.events import Usage
from raylm_apps.gateway.allowance import Allowance
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN
from raylm_apps.gateway.errors import ApiError
from raylm_apps.gateway.inbound.answer_cache import Ticket
from raylm_apps.gateway.inbound.presence import while_there
from raylm_apps.gateway.providers.base import ModelCard
from raylm_apps.gateway.routing.answer import Answer
from raylm_apps.gateway.routing.call import Call, Meter
from raylm_apps.gateway.routing.routed import RoutedProvider
from raylm_apps.gateway.sse import EventStream

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
JSON, EVENTS = "application/json", "text/event-stream"


class ProgramCall(Call[bytes], Protocol):
    """`path` and `body` are what the client sent where; `usage` is known at the end."""

    path: str
    body: Mapping[str, Any]
    stream: bool
    usage: Usage | None

    @property
    def size(self) -> Size: ...


class Opening:
    """`error_frame` is how the client's format ends a stream that broke off."""

    def __init__(
        self,
        allowance: Allowance,
        error_frame: Callable[[Exception], bytes],
        *,
        cache_s: int = 0,
    ) -> None:
        self._allowance = allowance
        self._cache = allowance.gateway.answer_cache
        self._error_frame = error_frame
        self._cache_s = cache_s

    async def respond(self, http: Request, model_id: str, call: ProgramCall) -> Response:
        """Who leaves ends the answer. Raises ApiError, ProviderError or RequestError, and
        ClientDisconnect where nobody waits any more."""
        session = self._allowance.session
        provider, card = await self._resolve(model_id)
        ticket = Ticket.of(session.user_id, call.path, call.body, self._cache_s)
        if ticket is not None and (kept := await self._cache.find(ticket)) is not None:
            media_type = EVENTS if call.stream else JSON
            return Response(kept, media_type=media_type, headers={"x-raylm-cache": "hit"})
        await self._allowance.take_for(card, call.size)
        meter = self._allowance.meter()
        answer = await while_there(http, provider.open(call, meter))
        end = self._allowance.kept()
        headers = _told(answer) | ({"x-raylm-cache": "miss"} if ticket is not None else {})
        body = self._body(call, answer, meter, ticket)
        if call.stream:
            response = AnswerStream(body, headers={**HEADERS, **headers})
            response.answer, response.when_sent = answer, end
            return response
        try:
            whole = await while_there(http, _joined(body))
        finally:
            end()
        return Response(whole, media_type=JSON, headers=headers)

    async def _resolve(self, model_id: str) -> tuple[RoutedProvider, ModelCard]:
        """Programs look for a status that says so, where there is no such model."""
        try:
            catalog = self._allowance.gateway.catalog
            return await catalog.resolve(model_id, self._allowance.session)
        except ApiError as error:
            if error.code != "bad_request:api":
                raise
            raise ApiError("not_found:model", error.cause) from error

    async def _body(
        self,
        call: ProgramCall,
        answer: Answer[bytes],
        meter: Meter,
        ticket: Ticket | None,
    ) -> AsyncGenerator[bytes, None]:
        """What is to be kept is kept once it is whole; what was used is known then, too."""
        sent: list[bytes] = []
        try:
            async for piece in answer:
                meter.came(_chars(piece) if call.stream else len(piece))
                if ticket is not None:
                    sent.append(piece)
                yield piece
        except Exception as error:
            yield self._error_frame(error)
        else:
            if ticket is not None:
                await self._cache.keep(ticket, b"".join(sent))
        finally:
            await answer.aclose()
            meter.ended(call.usage)


class AnswerStream(EventStream):
    answer: Answer[bytes]

    async def stream_response(self, send: Send) -> None:
        """A reader who leaves before the first byte, too, ends the provider's work."""
        async with aclosing(self.answer):
            await super().stream_response(send)


def _chars(events: bytes) -> int:
    """An event is a token, more or less: it counts where the provider does not tell."""
    return CHARS_PER_TOKEN * events.count(b"data:")


async def _joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(pieces):
        return b"".join([piece async for piece in pieces])


def _told(answer: Answer[bytes]) -> dict[str, str]:
    """Who answers, who was asked before, and what the gateway itself took of the time."""
    failed = ", ".join(f"{one.model} {one.failure}" for one in answer.attempts if one.failure)
    return {
        "x-raylm-model": answer.model,
        "x-raylm-attempts": str(len(answer.attempts)),
        "x-raylm-overhead-ms": f"{1000 * answer.overhead_s:.2f}",
        **({"x-raylm-failed": failed} if failed else {}),
    }
