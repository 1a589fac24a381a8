"""A server that speaks Anthropic's protocol, behaves and misbehaves as told, over real HTTP."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

KEY = "sk-ant-secret"
Behaviour = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class AnthropicServer:
    """`refusal` is a status, a body and headers."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.behave: Behaviour = nothing
        self.refusal: tuple[int, str, dict[str, str]] | None = None
        self.models: list[Any] = [{"data": [{"id": "claude-x"}], "has_more": False}]
        self.cancelled = threading.Event()
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/messages", self._answer)
        self.runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)

    async def start(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    async def _list(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.requests.append(dict(request.query))
        if self.refusal is not None:
            return self._refuse()
        page = self.models[min(len(self.requests), len(self.models)) - 1]
        return web.json_response(page)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.requests.append(await request.json())
        if self.refusal is not None:
            return self._refuse()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self.behave(request, response)
        except (asyncio.CancelledError, ConnectionResetError):
            self.cancelled.set()
            raise
        return response

    def _refuse(self) -> web.Response:
        assert self.refusal is not None
        status, body, headers = self.refusal
        return web.Response(status=status, text=body, headers=headers)


@contextmanager
def running_in_a_thread() -> Iterator[tuple[AnthropicServer, str]]:
    """For a gateway that is a process of its own."""
    loop, server = asyncio.new_event_loop(), AnthropicServer()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield server, asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    asyncio.run_coroutine_threadsafe(server.runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def nothing(request: web.Request, response: web.StreamResponse) -> None:
    pass


def sending(*events: dict[str, Any] | str) -> Behaviour:
    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        for event in events:
            await response.write(framed(event))

    return behave


def byte_by_byte(*events: dict[str, Any]) -> Behaviour:
    """Each a chunk of its own, so that characters come in halves."""

    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        for byte in b"".join(map(framed, events)):
            await response.write(bytes([byte]))
            await asyncio.sleep(0)

    return behave


def then_silence(*events: dict[str, Any]) -> Behaviour:
    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        await sending(*events)(request, response)
        await asyncio.Event().wait()

    return behave


def then_reset(*events: dict[str, Any]) -> Behaviour:
    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        await sending(*events)(request, response)
        assert request.transport is not None
        request.transport.abort()

    return behave


def framed(event: dict[str, Any] | str) -> bytes:
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    data = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def refusal(status: int, kind: str, message: str, **headers: str) -> tuple[int, str, Any]:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return status, json.dumps(body), headers


def begun(**usage: int) -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1, **usage},
    }
    return {"type": "message_start", "message": message}


def block(index: int, kind: str, *deltas: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    started = {"type": "content_block_start", "index": index}
    told = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    stopped = {"type": "content_block_stop", "index": index}
    return [{**started, "content_block": {"type": kind, **fields}}, *told, stopped]


def said(*texts: str, index: int = 0) -> list[dict[str, Any]]:
    return block(index, "text", *({"type": "text_delta", "text": t} for t in texts), text="")


def ended(reason: str = "end_turn", sequence: str | None = None, **usage: Any) -> list[Any]:
    delta = {"stop_reason": reason, "stop_sequence": sequence}
    usage = {"output_tokens": 5, **usage}
    return [{"type": "message_delta", "delta": delta, "usage": usage}, {"type": "message_stop"}]


def answering(*texts: str) -> list[dict[str, Any]]:
    return [begun(), {"type": "ping"}, *said(*texts), *ended()]
