"""What an address does with HTTP's methods: HEAD wherever there is GET, 405 with all that it has.

Routes declare GET alone, so /openapi.json has each operation once.
"""

import anyio
from fastapi import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


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
    """For `Allow`. One route of an address may know GET and another one DELETE."""
    found = [method for method in METHODS if _is_routed(request, method)]
    return ", ".join(["GET", "HEAD", *found[1:]] if "GET" in found else found)


def _is_routed(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
