"""A provider's server that behaves, and misbehaves, as told."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Behaviour = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class UpstreamServer:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.behave: Behaviour = nothing
        self.refusal: tuple[int, str, dict[str, str]] | None = None
        """Status, body and headers."""
        self.pages: list[Any] = []
        """Of the model list, in order."""
        self.cancelled = asyncio.Event()
        self.url = ""

    async def _list(self, request: web.Request) -> web.Response:
        self.paths.append(request.path_qs)
        self.headers.append(dict(request.headers))
        if self.refusal:
            return self._refused()
        return web.json_response(self.pages.pop(0))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path_qs)
        self.headers.append(dict(request.headers))
        self.requests.append(await request.json())
        if self.refusal:
            return self._refused()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self.behave(request, response)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return response

    def _refused(self) -> web.Response:
        assert self.refusal
        status, body, headers = self.refusal
        return web.Response(status=status, text=body, headers=headers)


@asynccontextmanager
async def upstream_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[UpstreamServer]:
    server = UpstreamServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", server._list)
    app.router.add_post("/{path:.*}", server._answer)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def nothing(request: web.Request, response: web.StreamResponse) -> None:
    pass


def sending(*events: Any) -> Behaviour:
    """Each as JSON; a string as it is."""
    data = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return writing(*(f"data: {text}\r\n\r\n".encode() for text in data))


def writing(*pieces: bytes) -> Behaviour:
    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        for piece in pieces:
            await response.write(piece)

    return behave
