"""ASGI responses that start once the first token (or the whole answer) is there.

So that an error met before then is answered with its own status, and a client who leaves
frees what the engine holds for it.
"""

from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from raylm.serve.disconnect import while_connected


class JsonAnswer(Response):
    media_type = "application/json"

    def __init__(self, work: Coroutine[Any, Any, BaseModel]) -> None:
        super().__init__()
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(self._answer(scope, receive, send), receive)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._work
        response = Response(answer.model_dump_json(), media_type=self.media_type)
        await response(scope, receive, send)


class EventStream(Response):
    """Server-sent events; each item of `events` is flushed as one write."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await while_connected(self._relay(send), receive)

    async def _relay(self, send: Send) -> None:
        async with aclosing(self._events) as events:
            first = await anext(events)
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            await send(_body(first))
            async for event in events:
                await send(_body(event))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _body(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}
