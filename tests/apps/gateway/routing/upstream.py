"""An OpenAI-compatible server each of whose models misbehaves in its own way, as told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeUpstream:
    """`asked`: the bodies of the requests, in order; `cancelled`: models whose client has gone."""

    def __init__(self, models: dict[str, Behaviour]) -> None:
        self.models = models
        self.asked: list[dict[str, Any]] = []
        self.cancelled: list[str] = []
        self.open = 0
        self.cancelled_at = asyncio.Event()
        app = web.Application(client_max_size=10_000_000)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._complete)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)

    async def start(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def close(self) -> None:
        await self._runner.cleanup()

    def names(self) -> list[str]:
        return [body["model"] for body in self.asked]

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in self.models]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.open += 1
        try:
            return await self.models[body["model"]](request)
        except asyncio.CancelledError:
            self.cancelled.append(body["model"])
            self.cancelled_at.set()
            raise
        finally:
            self.open -= 1


def delta(text: str = "", reason: str | None = None) -> str:
    content = {"content": text} if text else {}
    chunk = {"choices": [{"index": 0, "delta": content, "finish_reason": reason}]}
    return f"data: {json.dumps(chunk)}\n\n"


async def opened(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


def saying(*words: str, end: str = "finish", first_s: float = 0.0) -> Behaviour:
    """`end`: finish, close (cleanly, without one), reset, or stall."""

    async def behave(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(first_s)
        response = await opened(request)
        for word in words:
            await response.write(delta(word).encode())
        match end:
            case "finish":
                await response.write(delta(reason="stop").encode())
                usage = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
                await response.write(f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode())
            case "reset":
                await asyncio.sleep(0.05)  # so that what was written is read
                assert request.transport is not None
                request.transport.abort()
            case "stall":
                await asyncio.Event().wait()
        return response

    return behave


def calling(name: str, arguments: str, end: str = "close") -> Behaviour:
    """Begins to call a tool."""

    async def behave(request: web.Request) -> web.StreamResponse:
        response = await opened(request)
        call = {"index": 0, "id": "1", "function": {"name": name, "arguments": arguments}}
        chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
        await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        return response

    return behave


def refusing(status: int, body: str = "{}", **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=body, headers=named)

    return behave


async def refusing_to_speak(request: web.Request) -> web.StreamResponse:
    """Reads the request and hangs up."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silent(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError
