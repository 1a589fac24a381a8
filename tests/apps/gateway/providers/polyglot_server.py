"""One server that speaks every provider's format, each under a path of its own.

Its model says WORDS; where it is offered a tool it calls it first, and tells what the result was.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from tests.apps.gateway import openai_server
from tests.apps.gateway.providers import anthropic_server

WORDS = ("Fine ", "weather ", "today.")
TOOL, ARGUMENTS = "getWeather", {"city": "Rome"}
COUNTED = 17  # what Anthropic's counting says of any prompt
Body = dict[str, Any]


class PolyglotServer:
    """`asked` are the bodies of the requests."""

    def __init__(self) -> None:
        self.asked: list[Body] = []
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application(client_max_size=50_000_000)
        router = app.router
        router.add_get("/openai/v1/models", _told({"data": [{"id": "m", "tools": True}]}))
        router.add_get("/anthropic/v1/models", _told({"data": [{"id": "m"}], "has_more": False}))
        router.add_get("/google/v1beta/models", _told({"models": [_GEMINI, _GEMINI_EMBEDDING]}))
        router.add_post("/openai/v1/chat/completions", self._heard(_chat_completion))
        router.add_post("/openai/v1/responses", self._heard(_response))
        router.add_post("/openai/v1/embeddings", self._heard(_openai_vectors))
        router.add_post("/anthropic/v1/messages", self._heard(_message))
        router.add_post("/anthropic/v1/messages/count_tokens", self._heard(_count))
        google = "/google/v1beta/models/{model}"
        router.add_post(f"{google}:streamGenerateContent", self._heard(_generated))
        router.add_post(f"{google}:batchEmbedContents", self._heard(_google_vectors))
        return app

    def _heard(self, answer: Callable[[Body], Any]) -> Callable[..., Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.json()
            self.asked.append(body)
            told = answer(body)
            if isinstance(told, bytes):
                return web.Response(body=told, content_type="text/event-stream")
            return web.json_response(told)

        return handle


def _told(body: Body) -> Callable[..., Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(body)

    return handle


def _words(results: Iterable[str]) -> tuple[str, ...]:
    return next((("The tool said: ", result) for result in results), WORDS)


def _text(content: str | list[Body]) -> str:
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)


def _chat_completion(body: Body) -> Any:
    results = [each["content"] for each in body["messages"] if each["role"] == "tool"]
    calls = bool(body.get("tools")) and not results
    if not body.get("stream"):
        return _whole_completion(results, calls=calls)
    if calls:
        function = {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}
        call = {"index": 0, "id": "call_9", "type": "function", "function": function}
        delta = {"role": "assistant", "tool_calls": [call]}
        piece = {"index": 0, "delta": delta, "finish_reason": None}
        end = {"index": 0, "delta": {}, "finish_reason": "tool_calls"}
        usage = openai_server.event(choices=[], usage=openai_server.USAGE)
        told = openai_server.event(choices=[piece]) + openai_server.event(choices=[end]) + usage
        return told + openai_server.DONE
    words = b"".join(map(openai_server.word, _words(results)))
    return words + openai_server.end(body)


def _whole_completion(results: list[str], *, calls: bool) -> Body:
    whole = openai_server.whole("m")
    choice = whole["choices"][0]
    if calls:
        function = {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}
        call = {"id": "call_9", "type": "function", "function": function}
        choice["message"] |= {"content": None, "tool_calls": [call]}
        choice["finish_reason"] = "tool_calls"
    elif results:
        choice["message"]["content"] = "".join(_words(results))
    return whole


def _response(body: Body) -> bytes:
    items = [each for each in body["input"] if each.get("type") == "function_call_output"]
    events: list[Body] = []
    if body.get("tools") and not items:
        item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": TOOL}
        place = {"item_id": "fc_1", "output_index": 0}
        arguments = json.dumps(ARGUMENTS)
        events += [
            {"type": "response.output_item.added", **place, "item": {**item, "arguments": ""}},
            {"type": "response.function_call_arguments.done", **place, "arguments": arguments},
        ]
    else:
        for text in _words(_text(item["output"]) for item in items):
            events.append({"type": "response.output_text.delta", "output_index": 0, "delta": text})
    usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
    events.append({"type": "response.completed", "response": {"usage": usage}})
    return b"".join(_framed(event) for event in events)


def _message(body: Body) -> bytes:
    last = body["messages"][-1]["content"]
    results = [block for block in last if block["type"] == "tool_result"]
    if body.get("tools") and not results:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(ARGUMENTS)}
        call = anthropic_server.block(0, "tool_use", delta, id="toolu_1", name=TOOL, input={})
        events = [anthropic_server.begun(), *call, *anthropic_server.ended("tool_use")]
    else:
        texts = (_text(result["content"]) for result in results)
        events = anthropic_server.answering(*_words(texts))
    return b"".join(map(anthropic_server.framed, events))


def _count(body: Body) -> Body:
    return {"input_tokens": COUNTED}


def _generated(body: Body) -> bytes:
    last = body["contents"][-1]["parts"]
    results = [part["functionResponse"] for part in last if "functionResponse" in part]
    parts: list[Body]
    if body.get("tools") and not results:
        parts = [{"functionCall": {"name": TOOL, "args": ARGUMENTS}}]
    else:
        outputs = (result["response"]["output"] for result in results)
        parts = [{"text": text} for text in _words(outputs)]
    chunks: list[Body] = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 3, "totalTokenCount": 8}
    chunks.append({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage})
    return b"".join(_framed(chunk) for chunk in chunks)


def _openai_vectors(body: Body) -> Body:
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [
        {"object": "embedding", "index": place, "embedding": [float(len(text)), 1.0]}
        for place, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _google_vectors(body: Body) -> Body:
    texts = [request["content"]["parts"][0]["text"] for request in body["requests"]]
    return {"embeddings": [{"values": [float(len(text)), 1.0]} for text in texts]}


def _framed(event: Body) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


_GEMINI = {"name": "models/gemini-m", "supportedGenerationMethods": ["generateContent"]}
_GEMINI_EMBEDDING = {"name": "models/vectors", "supportedGenerationMethods": ["embedContent"]}


@contextmanager
def polyglot_server() -> Iterator[PolyglotServer]:
    """For a gateway that is a process of its own."""
    loop, server = asyncio.new_event_loop(), PolyglotServer()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = web.AppRunner(server.app(), shutdown_timeout=1)

    async def start() -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    server.url = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
