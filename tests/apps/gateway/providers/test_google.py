"""Google's adapter beside Google's own client, before the same server."""

import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx
import pytest
from google import genai
from google.genai import types

from raylm.core.wire.events import Finished, ReasoningDelta, TextDelta, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import (
    File,
    Image,
    JsonOutput,
    NamedTool,
    Prompt,
    Sampling,
    ToolCall,
    ToolDefinition,
    Turn,
)
from raylm_apps.gateway.providers.base import ModelCard, ProviderError, ToolsRefusedError
from raylm_apps.gateway.providers.google import GoogleProvider
from tests.apps.gateway.providers.dialects import KEY
from tests.apps.gateway.providers.upstream_server import (
    UpstreamServer,
    sending,
    upstream_server,
)

MODEL = ModelCard("google/gemini-3-pro", "Gemini 3", "google", True, remote_id="gemini-3-pro")
PROMPT = Prompt([Turn("user", "Hi")])
STREAM = (
    {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hm.", "thought": True}]}}]},
    {"candidates": [{"content": {"role": "model", "parts": [{"text": "Good "}]}, "index": 0}]},
    {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": "day"}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 4,
            "totalTokenCount": 9,
        },
        "modelVersion": "gemini-3-pro",
        "responseId": "r",
    },
)


@pytest.fixture
async def server() -> AsyncIterator[UpstreamServer]:
    async with upstream_server() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def official(server: UpstreamServer) -> AsyncIterator[Any]:
    async with httpx.AsyncClient() as transport:
        options = types.HttpOptions(
            base_url=server.url, api_version="v1beta", httpx_async_client=transport
        )
        client = genai.Client(api_key=KEY, http_options=options)
        yield client.aio.models
        client.close()


@pytest.fixture
def provider(server: UpstreamServer, client: aiohttp.ClientSession) -> GoogleProvider:
    return GoogleProvider("google", server.url, client, api_key=KEY)


async def test_both_read_the_same_answer(
    server: UpstreamServer, provider: GoogleProvider, official: Any
) -> None:
    server.behave = sending(*STREAM)
    assert [event async for event in provider.stream(MODEL, PROMPT)] == [
        ReasoningDelta("Hm."),
        TextDelta("Good "),
        TextDelta("day"),
        Finished("stop", Usage(3, 6, reasoning_tokens=4)),
    ]
    chunks = [
        chunk
        async for chunk in await official.generate_content_stream(
            model="gemini-3-pro", contents="Hi"
        )
    ]
    assert "".join(chunk.text or "" for chunk in chunks) == "Good day"
    assert chunks[-1].usage_metadata.thoughts_token_count == 4
    assert server.paths[0] == server.paths[1]
    assert [headers.get("x-goog-api-key") for headers in server.headers] == [KEY, KEY]


async def test_both_send_the_same_request(
    server: UpstreamServer, provider: GoogleProvider, official: Any
) -> None:
    """Whose `systemInstruction` has the role `user`, which Google does not ask for."""
    server.behave = sending(*STREAM)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    signature = base64.b64encode(b"signed").decode()
    prompt = Prompt(
        [
            Turn("system", "Be brief."),
            Turn(
                "user",
                "Rome?",
                images=[Image("image/png", b"dot")],
                files=[File("application/pdf", b"%PDF", "a.pdf")],
            ),
            Turn("assistant", "", [ToolCall("c1", "rain", '{"city":"Rome"}', signature)]),
            Turn("tool", "no", tool_call_id="c1"),
        ],
        tools=[ToolDefinition("rain", "Rain.", schema)],
        tool_choice=NamedTool("rain"),
        sampling=Sampling(9, 0.5, 0.9, 40, ["END"], 7, 0.1, 0.2),
        output=JsonOutput(schema),
        effort="low",
    )
    assert [event async for event in provider.stream(MODEL, prompt)]
    call = types.FunctionCall(id="c1", name="rain", args={"city": "Rome"})
    result = types.FunctionResponse(id="c1", name="rain", response={"output": "no"})
    rain = types.FunctionDeclaration(
        name="rain", description="Rain.", parameters_json_schema=schema
    )
    contents = [
        types.UserContent(
            [
                types.Part(text="Rome?"),
                types.Part.from_bytes(data=b"dot", mime_type="image/png"),
                types.Part.from_bytes(data=b"%PDF", mime_type="application/pdf"),
            ]
        ),
        types.ModelContent([types.Part(function_call=call, thought_signature=b"signed")]),
        types.UserContent([types.Part(function_response=result)]),
    ]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        tools=[types.Tool(function_declarations=[rain])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["rain"]
            )
        ),
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["END"],
        seed=7,
        frequency_penalty=0.1,
        presence_penalty=0.2,
        response_mime_type="application/json",
        response_json_schema=schema,
        thinking_config=types.ThinkingConfig(
            include_thoughts=True, thinking_level=types.ThinkingLevel.LOW
        ),
    )
    answer = await official.generate_content_stream(
        model="gemini-3-pro", contents=contents, config=config
    )
    assert [chunk async for chunk in answer]
    ours, theirs = server.requests
    assert theirs["systemInstruction"].pop("role") == "user"
    assert ours == spelt_alike(theirs)


def spelt_alike(value: Any) -> Any:
    """Their client writes some names in snake case, which is all the same to Google's JSON."""
    if isinstance(value, list):
        return [spelt_alike(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {
        re.sub(r"_(\w)", lambda letter: letter[1].upper(), name): spelt_alike(inner)
        for name, inner in value.items()
    }


@pytest.mark.parametrize("suffix", ["", "/", "/v1beta", "/v1beta/", "/proxy/v1"])
async def test_the_version_may_stand_in_the_address(
    server: UpstreamServer, client: aiohttp.ClientSession, suffix: str
) -> None:
    server.behave = sending(*STREAM)
    provider = GoogleProvider("google", server.url + suffix, client)
    assert [event async for event in provider.stream(MODEL, PROMPT)]
    version = "/proxy/v1" if "proxy" in suffix else "/v1beta"
    path = f"{version}/models/gemini-3-pro:streamGenerateContent?alt=sse"
    assert server.paths == [path]


def listed(name: str, *methods: str, **fields: Any) -> dict[str, Any]:
    methods = methods or ("generateContent", "countTokens")
    return {"name": f"models/{name}", "supportedGenerationMethods": methods, **fields}


async def test_the_models_of_all_pages_that_chat_or_embed(
    server: UpstreamServer, provider: GoogleProvider
) -> None:
    first = [
        listed("gemini-3-pro", displayName="Gemini 3", inputTokenLimit=9, thinking=True),
        listed("text-embedding-004", "embedContent"),
    ]
    second = [listed("gemma-3-27b-it"), listed("gemini-2.5-flash-preview-tts")]
    server.pages = [{"models": first, "nextPageToken": "a/b"}, {"models": second}]
    assert list(await provider.models()) == [
        ModelCard(
            "google/gemini-3-pro",
            "Gemini 3",
            "google",
            reasoning=True,
            tools=True,
            vision=True,
            context_tokens=9,
            remote_id="gemini-3-pro",
        ),
        ModelCard(
            "google/text-embedding-004",
            "text-embedding-004",
            "google",
            remote_id="text-embedding-004",
            embeds=True,
        ),
        ModelCard(
            "google/gemma-3-27b-it",
            "gemma-3-27b-it",
            "google",
            vision=True,
            remote_id="gemma-3-27b-it",
        ),
    ]
    assert server.paths == [
        "/v1beta/models?pageSize=1000",
        "/v1beta/models?pageSize=1000&pageToken=a/b",
    ]


NAMELESS = {"supportedGenerationMethods": ["generateContent"]}


@pytest.mark.parametrize(
    "page", [{}, [], {"models": [NAMELESS]}, {"models": 3}, {"models": [3]}, "text"]
)
async def test_a_strange_model_list(
    server: UpstreamServer, provider: GoogleProvider, page: Any
) -> None:
    server.pages = [page]
    with pytest.raises(ProviderError, match="cannot be reached"):
        await provider.models()


async def test_a_list_without_end_is_read_in_part(
    server: UpstreamServer, provider: GoogleProvider
) -> None:
    server.pages = [{"models": [listed("gemini")], "nextPageToken": "more"}] * 30
    assert len(await provider.models()) == 20


async def test_a_model_that_takes_no_tools_is_remembered(
    server: UpstreamServer, provider: GoogleProvider
) -> None:
    said = '{"error": {"message": "Function calling is not enabled for models/gemma"}}'
    server.refusal = (400, said, {})
    prompt = Prompt(PROMPT.turns, [ToolDefinition("rain", "Rain.", {"type": "object"})])
    for _ in range(2):
        with pytest.raises(ToolsRefusedError):
            await anext(provider.stream(MODEL, prompt))
    assert len(server.requests) == 1


async def test_a_prompt_that_is_blocked(server: UpstreamServer, provider: GoogleProvider) -> None:
    server.behave = sending({"promptFeedback": {"blockReason": "SAFETY"}})
    with pytest.raises(ProviderError, match="declined") as caught:
        await anext(provider.stream(MODEL, PROMPT))
    assert caught.value.failure is Failure.POLICY
