"""The adapter against a server that behaves, and misbehaves, as told."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from raylm.core.wire.events import (
    Finished,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.prompt import Image, Prompt, Sampling, ToolCall, ToolDefinition, Turn
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.openai import OpenAIProvider

MODEL = ModelCard("raylm/small", "small", "raylm", remote_id="raylm/small")
PROMPT = Prompt([Turn("user", "Hi")])
Behaviour = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class FakeServer:
    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.behave: Behaviour = nothing
        self.status = 200
        self.models: Any = {"data": []}
        self.cancelled = asyncio.Event()
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._complete)
        self.runner = web.AppRunner(app, handler_cancellation=True)

    async def start(self) -> str:
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(self.models, status=self.status)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(
            {
                "body": await request.json(),
                "authorization": request.headers.get("authorization"),
                "session": request.headers.get("x-session-id"),
            }
        )
        if self.status != 200:
            return web.json_response(
                {"error": {"message": "sk-secret overdrawn"}}, status=self.status
            )
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await self.behave(request, response)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return response


async def nothing(request: web.Request, response: web.StreamResponse) -> None:
    pass


def sending(*events: Any) -> Behaviour:
    async def behave(request: web.Request, response: web.StreamResponse) -> None:
        for event in events:
            data = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"data: {data}\n\n".encode())

    return behave


def delta(reason: str | None = None, **content: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": content, "finish_reason": reason}]}


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    server = FakeServer()
    yield server
    await server.runner.cleanup()


@pytest.fixture
async def provider(server: FakeServer) -> AsyncIterator[OpenAIProvider]:
    async with aiohttp.ClientSession() as client:
        yield OpenAIProvider(
            "raylm",
            await server.start(),
            client,
            api_key="sk-secret",
            sampling=Sampling(max_tokens=7, temperature=0.2),
        )


async def test_our_engine_alone_is_told_who_asks_and_in_which_chat(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    """Its turns go by user, its replicas by chat; to others it would be a name for no reason."""
    server.behave = sending(delta("stop", content="Hi"), "[DONE]")
    prompt = replace(PROMPT, user="u1", chat="c1")
    upstream = provider._upstream
    other = OpenAIProvider("openai", upstream._base_url, upstream._client)
    for one in (provider, other):
        assert [event async for event in one.stream(MODEL, prompt)]
    assert [request["body"].get("user") for request in server.requests] == ["u1", None]
    assert [request["session"] for request in server.requests] == ["c1", None]


async def test_text_reasoning_and_usage(server: FakeServer, provider: OpenAIProvider) -> None:
    server.behave = sending(
        delta(role="assistant", content=""),
        delta(reasoning_content="Hm."),
        delta(content="Good "),
        delta(content="day"),
        delta("length"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        "[DONE]",
    )
    assert [event async for event in provider.stream(MODEL, PROMPT)] == [
        ReasoningDelta("Hm."),
        TextDelta("Good "),
        TextDelta("day"),
        Finished("length", Usage(3, 4)),
    ]
    (request,) = server.requests
    assert request["authorization"] == "Bearer sk-secret"
    assert request["body"] == {
        "model": "raylm/small",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 7,
        "temperature": 0.2,
    }


@pytest.mark.parametrize(
    ("behave", "message"),
    [
        (sending(delta(content="half")), "broke off"),
        (sending(delta(content="half"), "[DONE]"), "broke off"),
        (sending(delta(content="half"), "{not json"), "broke off"),
        (sending(delta(content="half"), {"error": {"message": "sk-secret"}}), "broke off"),
        (sending(delta(content="half"), [1, 2]), "broke off"),
    ],
)
async def test_an_answer_that_breaks_off(
    server: FakeServer, provider: OpenAIProvider, behave: Behaviour, message: str
) -> None:
    server.behave = behave
    events = provider.stream(MODEL, PROMPT)
    assert await anext(events) == TextDelta("half")
    with pytest.raises(ProviderError, match=message) as failure:
        await anext(events)
    assert "sk-secret" not in failure.value.message


@pytest.mark.parametrize(
    ("status", "message"), [(429, "busy"), (401, "cannot be reached"), (500, "cannot be reached")]
)
async def test_a_refusal(
    server: FakeServer, provider: OpenAIProvider, status: int, message: str
) -> None:
    server.status = status
    with pytest.raises(ProviderError, match=message) as failure:
        await anext(provider.stream(MODEL, PROMPT))
    assert "sk-secret" not in failure.value.message


async def test_nobody_listens() -> None:
    async with aiohttp.ClientSession() as client:
        provider = OpenAIProvider("raylm", "http://127.0.0.1:1/v1", client)
        with pytest.raises(ProviderError, match="cannot be reached"):
            await anext(provider.stream(MODEL, PROMPT))
        with pytest.raises(ProviderError, match="cannot be reached"):
            await provider.models()


async def test_closing_the_stream_cancels_the_work(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    async def forever(request: web.Request, response: web.StreamResponse) -> None:
        await sending(delta(content="word"))(request, response)
        await asyncio.Event().wait()

    server.behave = forever
    async with aclosing(provider.stream(MODEL, PROMPT)) as events:
        assert await anext(events) == TextDelta("word")
    async with asyncio.timeout(2):
        await server.cancelled.wait()


async def test_models_carry_what_our_engine_adds(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    server.models = {
        "data": [
            {"id": "raylm/smollm2", "chat_template": True, "max_model_len": 2048},
            {"id": "raylm/base", "chat_template": False},
            {"id": "raylm/called", "tools": True},
            {"id": "gpt-5"},
            {"id": "text-embedding-3-small"},
        ]
    }
    cards = await provider.models()
    assert [card.remote_id for card in cards] == [
        *("raylm/smollm2", "raylm/base", "raylm/called", "gpt-5", "text-embedding-3-small")
    ]
    assert [replace(card, remote_id="") for card in cards] == [
        ModelCard("raylm/smollm2", "smollm2", "raylm", context_tokens=2048),
        ModelCard("raylm/base", "base", "raylm", chat_template=False),
        ModelCard("raylm/called", "called", "raylm", tools=True),
        ModelCard("raylm/gpt-5", "gpt-5", "raylm", vision=True),
        ModelCard("raylm/text-embedding-3-small", "text-embedding-3-small", "raylm", embeds=True),
    ]


@pytest.mark.parametrize("models", [{}, {"data": [{}]}, [], {"data": 3}])
async def test_a_strange_model_list(
    server: FakeServer, provider: OpenAIProvider, models: Any
) -> None:
    server.models = models
    with pytest.raises(ProviderError, match="cannot be reached"):
        await provider.models()


async def test_models_of_others_are_taken_to_have_tools(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    server.models = {"data": [{"id": "gpt-5"}]}
    upstream = provider._upstream
    other = OpenAIProvider("openai", upstream._base_url, upstream._client)
    assert [card.tools for card in await other.models()] == [True]


def piece(index: int | None, arguments: str = "", **head: Any) -> dict[str, Any]:
    """A chunk with a piece of a call; `id` and `name` come with its first one."""
    function = {"arguments": arguments, **({"name": head["name"]} if "name" in head else {})}
    call = {"index": index, "id": head.get("id"), "type": "function", "function": function}
    choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
    return {"choices": [choice]}


INDEXED = [
    piece(0, name="getWeather", id="x"),
    piece(1, '{"city"', name="getWeather", id="y"),
    piece(0, '{"city": "Paris"}'),
    piece(1, ': "Rome"}'),
]
SAME_INDEX = [
    piece(0, '{"city": "Paris"}', name="getWeather", id="x"),
    piece(0, '{"city": "Rome"}', name="getWeather", id="y"),
]
NO_INDEX = [
    piece(None, '{"city": "Paris"}', name="getWeather", id="x"),
    piece(None, '{"city": ', name="getWeather", id="y"),
    piece(None, '"Rome"}', id="y"),
]


@pytest.mark.parametrize("pieces", [INDEXED, SAME_INDEX, NO_INDEX])
async def test_parallel_calls_are_put_together(
    server: FakeServer, provider: OpenAIProvider, pieces: list[Any]
) -> None:
    server.behave = sending(*pieces, delta("tool_calls"), "[DONE]")
    events = [event async for event in provider.stream(MODEL, PROMPT)]
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("getWeather", {"city": "Paris"}),
        ("getWeather", {"city": "Rome"}),
    ]
    assert [event.id for event in events if isinstance(event, ToolCallStarted)] == [
        call.id for call in calls
    ]
    assert len({call.id for call in calls} - {"x", "y"}) == 2
    for call in calls:
        told = [e.arguments for e in events if isinstance(e, ToolCallDelta) and e.id == call.id]
        assert "".join(told) == call.arguments
    assert events[-1] == Finished("tool-calls")


async def test_a_call_without_a_name_is_a_strange_event(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    server.behave = sending(piece(0, "{}", id="x"), delta("tool_calls"), "[DONE]")
    with pytest.raises(ProviderError, match="broke off"):
        await anext(provider.stream(MODEL, PROMPT))


async def test_tools_calls_and_results_are_sent(
    server: FakeServer, provider: OpenAIProvider
) -> None:
    server.behave = sending(delta("stop", content="11 degrees."), "[DONE]")
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    prompt = replace(
        PROMPT,
        turns=[
            Turn("user", "Paris?"),
            Turn("assistant", "", [ToolCall("c1", "getWeather", '{"city":"Paris"}')]),
            Turn("tool", "11", tool_call_id="c1"),
        ],
        tools=[ToolDefinition("getWeather", "The weather.", schema)],
        tool_choice="none",
        sampling=Sampling(max_tokens=3),
    )
    assert [event async for event in provider.stream(MODEL, prompt)]
    body = server.requests[0]["body"]
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "getWeather", "arguments": '{"city":"Paris"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "11"},
    ]
    assert body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "getWeather",
                "description": "The weather.",
                "parameters": schema,
            },
        }
    ]
    assert (body["tool_choice"], body["max_completion_tokens"]) == ("none", 3)


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ({"id": "gpt-4o-mini"}, True),
        ({"id": "gpt-3.5-turbo"}, False),
        ({"id": "llava", "vision": True}, True),
        ({"id": "qwen-vl", "architecture": {"input_modalities": ["text", "image"]}}, True),
        ({"id": "gpt-4o-text", "architecture": {"input_modalities": ["text"]}}, False),
    ],
)
async def test_which_models_see(
    server: FakeServer, provider: OpenAIProvider, model: dict[str, Any], sees: bool
) -> None:
    server.models = {"data": [model]}
    (card,) = await provider.models()
    assert card.vision is sees


async def test_images_are_sent_as_data(server: FakeServer, provider: OpenAIProvider) -> None:
    server.behave = sending(delta("stop", content="A dot."), "[DONE]")
    turns = [Turn("user", "Look", images=[Image("image/png", b"dot")]), Turn("user", "And?")]
    assert [event async for event in provider.stream(MODEL, replace(PROMPT, turns=turns))]
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,ZG90"}}
    assert [message["content"] for message in server.requests[0]["body"]["messages"]] == [
        [{"type": "text", "text": "Look"}, image],
        "And?",
    ]
