"""Anthropic's messages API, of any model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import Send

from raylm.core.wire.anthropic.message import whole_message
from raylm.core.wire.anthropic.request_decoder import prompt_of
from raylm.core.wire.anthropic.requests import MessagesRequest
from raylm.core.wire.anthropic.stream_encoder import MessageStreamEncoder, as_sse
from raylm.core.wire.events import Restarted
from raylm.core.wire.failure import WireError
from raylm_apps.gateway.allowance import Asker
from raylm_apps.gateway.messages_errors import MessagesErrorView, MessagesRoute, failure_body
from raylm_apps.gateway.opening import OpenedAnswer, open_answer
from raylm_apps.gateway.presence import while_there
from raylm_apps.gateway.providers.base import ProviderError
from raylm_apps.gateway.sse import EventStream

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
ANSWER = {"description": "a message, or its events", "content": {"text/event-stream": {}}}
FAILURE: dict[str, Any] = {"model": MessagesErrorView}
router = APIRouter(
    prefix="/v1/messages",
    tags=["v1"],
    route_class=MessagesRoute,
    responses={200: ANSWER, "4XX": FAILURE, "5XX": FAILURE},
)


@router.post("", response_model=None)
async def create(request: Request, asker: Asker, body: MessagesRequest) -> Response:
    """The status is sent with the first event; who leaves ends the answer."""
    prompt = prompt_of(body)
    with asker.seat() as seat:
        async with asker as allowance:
            if refusal := await allowance.take():
                raise refusal
            opening = open_answer(asker.gateway, asker.session, body.model, prompt)
            answer = await while_there(request, opening)
            this_request = asyncio.current_task()
            assert this_request is not None
            allowance.lasts_until_end_of(this_request)
        if body.stream:
            return seat.keep_until_sent(MessageStream(answer, body.model))
        return JSONResponse(await while_there(request, _whole(answer, body.model)))


class MessageStream(EventStream):
    def __init__(self, answer: OpenedAnswer, model: str) -> None:
        super().__init__(_frames(answer, model), headers=HEADERS)
        self._answer = answer

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._answer):
            await super().stream_response(send)


async def _frames(answer: OpenedAnswer, model: str) -> AsyncIterator[bytes]:
    encoder = MessageStreamEncoder(model)
    yield b"".join(map(as_sse, encoder.start()))
    try:
        async for event in answer.events():
            if chunks := encoder.encode(event):
                yield b"".join(map(as_sse, chunks))
    except ProviderError as error:
        yield as_sse(failure_body(error))
    except WireError as error:
        yield as_sse(failure_body(ProviderError.of(error.failure, error.cause)))


async def _whole(answer: OpenedAnswer, model: str) -> dict[str, Any]:
    """Of an answer that another model has begun anew, the new one."""
    async with aclosing(answer):
        encoder = MessageStreamEncoder(model)
        chunks = encoder.start()
        async for event in answer.events():
            if isinstance(event, Restarted):
                encoder = MessageStreamEncoder(model)
                chunks = encoder.start()
            else:
                chunks += encoder.encode(event)
    return whole_message(chunks)
