"""Requests that arrive together begin one after the other, as they came.

A loop runs the first part of all of them before the second part of any, so that none would reach
the engine before all are parsed. Now the first is computed while the others are read.
"""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send


class Turnstile:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            async with self._turn:
                await asyncio.sleep(0)  # what those before have to do next comes first
        await self._app(scope, receive, send)
