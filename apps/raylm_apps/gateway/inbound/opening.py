"""An answer's beginning, awaited before a status is sent: failures can still have theirs."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

from fastapi.responses import Response

from raylm.core.wire.events import Usage
from raylm_apps.gateway.allowance import Allowance
from raylm_apps.gateway.budgets.estimate import Size
from raylm_apps.gateway.conversation import CHARS_PER_TOKEN
from raylm_apps.gateway.inbound.answer_cache import Ticket
from raylm_apps.gateway.inbound.event_writer import EventResponse, EventWriter
from raylm_apps.gateway.inbound.frames import Frames
from raylm_apps.gateway.inbound.program_route import ProgramRequest
from raylm_apps.gateway.routing.answer import Answer
from raylm_apps.gateway.routing.call import Call, Meter
from raylm_apps.gateway.routing.routed import RoutedProvider

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
    """`frames` are those of the client's format."""

    def __init__(self, allowance: Allowance, frames: Frames, *, cache_s: int = 0) -> None:
        self._allowance = allowance
        self._cache = allowance.gateway.answer_cache
        self._frames = frames
        self._cache_s = cache_s

    async def respond(self, http: ProgramRequest, model_id: str, call: ProgramCall) -> Response:
        """Raises ApiError, ProviderError or RequestError."""
        session = self._allowance.session
        provider, card = await self._allowance.gateway.catalog.find(model_id, session)
        ticket = Ticket.of(session.user_id, call.path, call.body, self._cache_s)
        if ticket is not None and (kept := await self._cache.find(ticket)) is not None:
            media_type = EVENTS if call.stream else JSON
            return Response(kept, media_type=media_type, headers={"x-raylm-cache": "hit"})
        await self._allowance.take_for(card, call.size)
        meter = self._allowance.meter()
        if call.stream:
            return await self._stream(http, provider, call, meter, ticket)
        answer = await provider.open(call, meter)
        end = self._allowance.kept()
        try:
            whole = await _joined(self._body(call, answer, meter, ticket))
        finally:
            end()
        return Response(whole, media_type=JSON, headers=_told(answer, ticket))

    async def _stream(
        self,
        http: ProgramRequest,
        provider: RoutedProvider,
        call: ProgramCall,
        meter: Meter,
        ticket: Ticket | None,
    ) -> Response:
        heartbeat_s = self._allowance.gateway.settings.heartbeat_s
        writer = EventWriter(http.send, self._frames.ping, heartbeat_s)
        try:
            answer = await provider.open(call, meter)
        except BaseException as error:
            if not isinstance(error, Exception) or not writer.has_begun:
                writer.close()
                raise
            return EventResponse(writer, _once(self._frames.error(error)))
        writer.add_headers(_told(answer, ticket))
        body = self._body(call, answer, meter, ticket)
        return EventResponse(writer, body, answer, self._allowance.kept())

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
            yield self._frames.error(error)
        else:
            if ticket is not None:
                await self._cache.keep(ticket, b"".join(sent))
        finally:
            await answer.aclose()
            meter.ended(call.usage)


def _chars(events: bytes) -> int:
    """An event is a token, more or less: it counts where the provider does not tell."""
    return CHARS_PER_TOKEN * events.count(b"data:")


async def _joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(pieces):
        return b"".join([piece async for piece in pieces])


async def _once(events: bytes) -> AsyncGenerator[bytes, None]:
    yield events


def _told(answer: Answer[bytes], ticket: Ticket | None) -> dict[str, str]:
    """Who answers, who was asked before, and what the gateway itself took of the time."""
    failed = ", ".join(f"{one.model} {one.failure}" for one in answer.attempts if one.failure)
    return {
        "x-raylm-model": answer.model,
        "x-raylm-attempts": str(len(answer.attempts)),
        "x-raylm-overhead-ms": f"{1000 * answer.overhead_s:.2f}",
        **({"x-raylm-failed": failed} if failed else {}),
        **({"x-raylm-cache": "miss"} if ticket is not None else {}),
    }
