"""Server-sent events to one client, with a ping in every long silence."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Protocol

from fastapi.responses import Response
from starlette.types import Receive, Scope, Send

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]
WRITING = math.inf


class Closing(Protocol):
    async def aclose(self) -> None: ...


class EventWriter:
    """Its timer is armed anew only when it goes off, so that what is written costs a look at the
    clock. Status and headers go out with the first event or ping: what fails later is told in the
    stream. Close it."""

    def __init__(self, send: Send, ping: bytes, every_s: float) -> None:
        self.has_begun = False
        self._send = send
        self._ping = ping
        self._every_s = every_s
        self._headers = HEADERS
        self._loop = asyncio.get_running_loop()
        self._said_at = self._loop.time()
        self._timer = self._loop.call_later(every_s, self._check)
        self._pinging: asyncio.Task[None] | None = None

    def add_headers(self, headers: Mapping[str, str]) -> None:
        """Too late for a client that has been sent a ping."""
        added = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        self._headers = [*HEADERS, *added]

    async def write(self, events: bytes, *, more: bool = True) -> None:
        if self._pinging is not None:
            await self._pinging
        if not self.has_begun:
            await self._begin()
        self._said_at = WRITING
        await self._send({"type": "http.response.body", "body": events, "more_body": more})
        self._said_at = self._loop.time()

    def close(self) -> None:
        self._timer.cancel()
        if self._pinging is not None:
            self._pinging.cancel()

    async def _begin(self) -> None:
        self.has_begun = True
        headers = list(self._headers)  # middleware adds its own
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    def _check(self) -> None:
        next_at = self._said_at + self._every_s
        if next_at > self._loop.time():
            if next_at == WRITING:  # the reader is the slow one
                next_at = self._loop.time() + self._every_s
            self._timer = self._loop.call_at(next_at, self._check)
        else:
            self._pinging = asyncio.create_task(self._say_ping())

    async def _say_ping(self) -> None:
        if not self.has_begun:
            await self._begin()
        await self._send({"type": "http.response.body", "body": self._ping, "more_body": True})
        self._pinging = None
        self._timer = self._loop.call_later(self._every_s, self._check)


class EventResponse(Response):
    """`end` is called when the reader has all of it, or is gone; `source` is closed then, which a
    generator that has not begun would not do."""

    def __init__(
        self,
        writer: EventWriter,
        events: AsyncGenerator[bytes, None],
        source: Closing | None = None,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self._writer = writer
        self._events = events
        self._source = source
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = self._writer
        try:
            async with aclosing(self._events):
                async for events in self._events:
                    await writer.write(events)
            await writer.write(b"", more=False)
        finally:
            writer.close()
            if self._source is not None:
                await self._source.aclose()
            self._end()
