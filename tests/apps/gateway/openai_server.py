"""An OpenAI-compatible server over real HTTP, each of whose models behaves, or misbehaves."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

WORDS = ("Fine ", "weather ", "today.")
USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
EMBEDDING = "text-embedding-x"
SECRET = "sk-upstream-secret-0001"
Behaviour = Callable[["OpenAIServer", web.Request, dict[str, Any]], AsyncIterator[bytes]]


class OpenAIServer:
    """`asked` are the bodies; `left` is set once a client has gone in the midst of an answer."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.left = threading.Event()
        self.url = ""

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": model} for model in (*BEHAVIOURS, EMBEDDING)]})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.paths.append(request.path)
        model = body["model"]
        if model in REFUSALS:
            status, content, headers = REFUSALS[model]
            return web.Response(status=status, text=content, headers=headers)
        if not body.get("stream"):
            return web.json_response(whole(model))
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            async for piece in BEHAVIOURS[model](self, request, body):
                await response.write(piece)
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise
        return response

    async def continue_text(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        choices = [{"index": place, "text": text} for place, text in enumerate(WORDS)]
        return web.json_response({"object": "text_completion", "choices": choices, "usage": USAGE})

    async def embed(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [
            {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0]}
            for place, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return web.json_response(
            {"object": "list", "data": data, "model": body["model"], "usage": usage}
        )


def whole(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
        "system_fingerprint": "kept as it is",
    }


def event(**chunk: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, **chunk}, ensure_ascii=False).encode() + b"\n\n"


def word(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = b"data: [DONE]\n\n"


def end(body: dict[str, Any]) -> bytes:
    wants_usage = body.get("stream_options", {}).get("include_usage")
    return STOP + (event(choices=[], usage=USAGE) if wants_usage else b"") + DONE


async def words(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    for text in WORDS:
        yield word(text)
    yield end(body)


async def in_halves(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    """Every byte by itself, and letters that have two of them."""
    for byte in word("Grüße 🌍") + end(body):
        yield bytes([byte])
        await asyncio.sleep(0)


async def crlf(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    async for piece in words(server, request, body):
        yield piece.replace(b"\n", b"\r\n")


async def slow(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    for _ in range(1000):
        yield word("word ")
        await asyncio.sleep(0.02)
    yield end(body)


async def reset(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    yield word("half")
    await asyncio.sleep(0.05)
    assert request.transport is not None
    request.transport.abort()


async def unfinished(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    yield word("half")


async def failing(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    yield word("half")
    await asyncio.sleep(0.05)
    yield event(error={"message": f"overloaded, {SECRET}", "type": "server_error"})


async def huge(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    yield word("half")
    await asyncio.sleep(0.05)
    yield b"data: " + b"x" * 10_000_000


async def calling(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    for piece in (
        {"index": 0, "id": "call_9", "type": "function", "function": {"name": "add"}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": "1}"}},
    ):
        yield event(choices=[{"index": 0, "delta": {"tool_calls": [piece]}}])
    yield event(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]) + DONE


async def calling_half(
    server: OpenAIServer, request: web.Request, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    piece = {"index": 0, "id": "call_9", "type": "function", "function": {"name": "add"}}
    yield event(choices=[{"index": 0, "delta": {"tool_calls": [piece]}}])


BEHAVIOURS: dict[str, Behaviour] = {
    "words": words,
    "halves": in_halves,
    "crlf": crlf,
    "slow": slow,
    "reset": reset,
    "unfinished": unfinished,
    "failing": failing,
    "huge": huge,
    "calling": calling,
    "calling-half": calling_half,
    "busy": words,
    "locked": words,
    "html": words,
    "wrong": words,
    "long": words,
}
REFUSALS: dict[str, tuple[int, str, dict[str, str]]] = {
    "busy": (429, '{"error": {"message": "slow down"}}', {"retry-after": "7"}),
    "locked": (401, json.dumps({"error": {"message": f"wrong key {SECRET}"}}), {}),
    "html": (500, "<html><h1>Internal Server Error</h1></html>", {}),
    "wrong": (400, json.dumps({"error": {"message": f"temperature: no {SECRET}"}}), {}),
    "long": (400, '{"error": {"message": "maximum context length is 8192 tokens"}}', {}),
}


@contextmanager
def openai_server() -> Iterator[OpenAIServer]:
    server, started = OpenAIServer(), threading.Event()
    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=50_000_000)
    app.router.add_get("/v1/models", server.models)
    app.router.add_post("/v1/chat/completions", server.answer)
    app.router.add_post("/v1/completions", server.continue_text)
    app.router.add_post("/v1/embeddings", server.embed)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        started.set()

    def serve() -> None:
        loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
