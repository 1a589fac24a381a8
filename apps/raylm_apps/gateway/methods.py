"""What an address does with HTTP's methods: HEAD wherever there is GET, 405 with all that it has.

Routes declare GET alone, so /openapi.json has each operation once.
"""

import anyio
from fastapi import Request
from fastapi.routing import iter_route_contexts
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """ASGI middleware: what GET would answer, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            else:
                await send({"type": "http.response.body"})
                answering.cancel()  # a stream would go on for as long as its answer

        with anyio.CancelScope() as answering:
            await self._app({**scope, "method": "GET"}, receive, send_head)


def allowed(request: Request) -> str:
    """For `Allow`. One route of an address may know GET, another one DELETE."""
    methods = {
        method
        for route in iter_route_contexts(request.app.routes)
        if route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))
