"""The adapter of OpenAI's Responses beside OpenAI's own client, before the same server."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from raylm.core.wire.events import (
    Finished,
    ReasoningDelta,
    ReasoningSigned,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from raylm.core.wire.openai.responses_encoder import responses_request
from raylm.core.wire.prompt import (
    Image,
    JsonOutput,
    Prompt,
    Sampling,
    Thought,
    ToolCall,
    ToolDefinition,
    Turn,
)
from raylm_apps.gateway.providers.base import ModelCard, ToolsRefusedError
from raylm_apps.gateway.providers.openai_responses import OpenAIResponsesProvider
from tests.apps.gateway.providers.dialects import KEY
from tests.apps.gateway.providers.upstream_server import (
    UpstreamServer,
    sending,
    upstream_server,
)

MODEL = ModelCard("openai/gpt-5", "gpt-5", "openai", reasoning=True, remote_id="gpt-5")
PROMPT = Prompt([Turn("user", "Hi")])
PLACE = {"item_id": "i0", "output_index": 0, "content_index": 0}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 0},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 9,
    },
}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "secret"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "rain", "arguments": ""}
STREAM = tuple(
    {"sequence_number": number, **event}
    for number, event in enumerate(
        (
            {"type": "response.created", "response": {**RESPONSE, "usage": None}},
            {"type": "response.reasoning_summary_text.delta", "delta": "Hm.", "summary_index": 0}
            | {"item_id": "rs_1", "output_index": 0},
            {"type": "response.output_item.done", "item": THOUGHT, "output_index": 0},
            {"type": "response.output_text.delta", "delta": "Good ", "logprobs": [], **PLACE},
            {"type": "response.output_text.delta", "delta": "day", "logprobs": [], **PLACE},
            {"type": "response.output_item.added", "item": CALL, "output_index": 2},
            {"type": "response.function_call_arguments.delta", "delta": "{}"}
            | {"item_id": "fc_1", "output_index": 2},
            {"type": "response.function_call_arguments.done", "arguments": "{}", "name": "rain"}
            | {"item_id": "fc_1", "output_index": 2},
            {"type": "response.completed", "response": RESPONSE},
        )
    )
)


@pytest.fixture
async def server() -> AsyncIterator[UpstreamServer]:
    async with upstream_server() as server:
        yield server


@pytest.fixture
async def provider(server: UpstreamServer) -> AsyncIterator[OpenAIResponsesProvider]:
    async with aiohttp.ClientSession() as client:
        yield OpenAIResponsesProvider(
            "openai", f"{server.url}/v1", client, api_key=KEY, sampling=Sampling(temperature=0.3)
        )


@pytest.fixture
async def official(server: UpstreamServer) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
        yield client


async def test_both_read_the_same_answer(
    server: UpstreamServer, provider: OpenAIResponsesProvider, official: openai.AsyncOpenAI
) -> None:
    server.behave = sending(*STREAM)
    events = [event async for event in provider.stream(MODEL, PROMPT)]
    (call,) = (event for event in events if isinstance(event, ToolCall))
    assert events == [
        ReasoningDelta("Hm."),
        ReasoningSigned("rs_1:secret"),
        TextDelta("Good "),
        TextDelta("day"),
        ToolCallStarted(call.id, "rain"),
        ToolCallDelta(call.id, "{}"),
        ToolCall(call.id, "rain", "{}"),
        Finished("tool-calls", Usage(3, 6, cached_tokens=1, reasoning_tokens=4)),
    ]
    answer: Any = await official.responses.create(model="gpt-5", input="Hi", stream=True)
    theirs = [event async for event in answer]
    texts = [event.delta for event in theirs if event.type == "response.output_text.delta"]
    assert texts == ["Good ", "day"]
    assert theirs[-1].response.usage.output_tokens == 6
    assert server.paths == ["/v1/responses"] * 2
    assert [headers["Authorization"] for headers in server.headers] == [f"Bearer {KEY}"] * 2


async def test_both_send_the_same_request(
    server: UpstreamServer, provider: OpenAIResponsesProvider, official: openai.AsyncOpenAI
) -> None:
    server.behave = sending(*STREAM)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    prompt = Prompt(
        [
            Turn("user", "Rome?", images=[Image("image/png", b"dot")]),
            Turn(
                "assistant",
                "",
                [ToolCall("c1", "rain", "{}")],
                thoughts=[Thought("Hm.", "rs_1:secret")],
            ),
            Turn("tool", "no", tool_call_id="c1"),
        ],
        tools=[ToolDefinition("rain", "Rain.", schema)],
        output=JsonOutput(schema),
        sampling=Sampling(max_tokens=9, temperature=0.3),
        effort="low",
    )
    assert [event async for event in provider.stream(MODEL, prompt)]
    arguments: dict[str, Any] = responses_request(prompt, "gpt-5", reasons=True)
    answer: Any = await official.responses.create(**arguments)
    assert [event async for event in answer]
    assert server.requests[0] == server.requests[1]


async def test_which_models_reason(
    server: UpstreamServer, provider: OpenAIResponsesProvider
) -> None:
    ids = ("gpt-5", "o3-mini", "codex-mini-latest", "gpt-4o", "gpt-5-chat-latest", "omni")
    server.pages = [{"data": [{"id": model} for model in ids]}]
    reasoning = {card.remote_id: card.reasoning for card in await provider.models()}
    assert reasoning == dict(zip(ids, (True, True, True, False, False, False), strict=True))


async def test_a_model_that_does_not_reason_is_not_asked_to(
    server: UpstreamServer, provider: OpenAIResponsesProvider
) -> None:
    server.behave = sending(*STREAM)
    model = ModelCard("openai/gpt-4o", "gpt-4o", "openai", remote_id="gpt-4o")
    prompt = Prompt(PROMPT.turns, effort="high")
    assert [event async for event in provider.stream(model, prompt)]
    assert server.requests == [
        {
            "model": "gpt-4o",
            "input": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "store": False,
            "temperature": 0.3,
        }
    ]


async def test_a_model_that_takes_no_tools_is_remembered(
    server: UpstreamServer, provider: OpenAIResponsesProvider
) -> None:
    said = '{"error": {"message": "Unsupported parameter: \'tools\' is not supported"}}'
    server.refusal = (400, said, {})
    prompt = Prompt(PROMPT.turns, [ToolDefinition("rain", "Rain.", {"type": "object"})])
    for _ in range(2):
        with pytest.raises(ToolsRefusedError):
            await anext(provider.stream(MODEL, prompt))
    assert len(server.requests) == 1
