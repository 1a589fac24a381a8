"""Anthropic's own client, our route, and behind it a server that behaves as told."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types import ToolUseBlock

from raylm_apps.gateway.embedded import StoreUrls
from tests.apps.gateway.harness import GatewayProcess, User, environment, eventually, text_of
from tests.apps.gateway.providers.anthropic_server import (
    KEY,
    AnthropicServer,
    answering,
    begun,
    block,
    ended,
    nothing,
    refusal,
    running_in_a_thread,
    said,
    sending,
    then_reset,
    then_silence,
)

pytestmark = pytest.mark.services
MOST_BYTES = 3_000_000
ASKED: Any = {
    "model": "anthropic/claude-x",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Hi"}],
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[AnthropicServer, str]]:
    with running_in_a_thread() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    stores: StoreUrls,
    upstream: tuple[AnthropicServer, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GatewayProcess]:
    folder = tmp_path_factory.mktemp("messages")
    settings = environment(
        stores,
        folder,
        ANTHROPIC_API_KEY=KEY,
        ANTHROPIC_BASE_URL=upstream[1],
        RAYLM_MAX_API_BODY_BYTES=str(MOST_BYTES),
        RAYLM_MAX_ANSWERS_PER_KEY="2",
    )
    with GatewayProcess(folder / "log", settings) as process:
        yield process


@pytest.fixture
def server(upstream: tuple[AnthropicServer, str]) -> AnthropicServer:
    server = upstream[0]
    server.requests.clear()
    server.headers.clear()
    server.cancelled.clear()
    server.behave, server.refusal = nothing, None
    return server


@pytest.fixture
def api_key(gateway: GatewayProcess) -> str:
    user = gateway.user()
    user.register()
    key: str = user.http.post("/api/keys", json={"name": "A program"}).json()["key"]
    return key


@pytest.fixture
async def client(gateway: GatewayProcess, api_key: str) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        api_key=api_key, base_url=gateway.base_url, max_retries=0
    ) as client:
        yield client


def asked_of(server: AnthropicServer) -> dict[str, Any]:
    return next(request for request in server.requests if "messages" in request)


SPOKEN = [
    begun(cache_read_input_tokens=100),
    *block(
        0,
        "thinking",
        {"type": "thinking_delta", "thinking": "Hm. "},
        {"type": "thinking_delta", "thinking": "So."},
        {"type": "signature_delta", "signature": "c2ln"},
        thinking="",
        signature="",
    ),
    *block(1, "redacted_thinking", data="ZGF0YQ=="),
    *said("Let me ", "see. 🦆", index=2),
]
WHOLE = [
    *SPOKEN,
    *block(
        3,
        "tool_use",
        {"type": "input_json_delta", "partial_json": '{"city": '},
        {"type": "input_json_delta", "partial_json": '"Rome"}'},
        id="toolu_1",
        name="getWeather",
        input={},
    ),
    *block(4, "tool_use", id="toolu_2", name="now", input={}),
    *ended("tool_use", output_tokens=20, output_tokens_details={"thinking_tokens": 7}),
]


def is_whole(message: anthropic.types.Message) -> bool:
    thought, secret, text, weather, now = (block.to_dict() for block in message.content)
    assert thought == {"type": "thinking", "thinking": "Hm. So.", "signature": "c2ln"}
    assert secret == {"type": "redacted_thinking", "data": "ZGF0YQ=="}
    assert text == {"type": "text", "text": "Let me see. 🦆"}
    assert (weather["name"], weather["input"]) == ("getWeather", {"city": "Rome"})
    assert (now["name"], now["input"]) == ("now", {})
    assert weather["id"] != now["id"]
    assert (message.stop_reason, message.model) == ("tool_use", "anthropic/claude-x")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens) == (3, 100)
    assert usage.output_tokens_details is not None
    assert (usage.output_tokens, usage.output_tokens_details.thinking_tokens) == (20, 7)
    return True


async def test_a_message(client: anthropic.AsyncAnthropic, server: AnthropicServer) -> None:
    server.behave = sending(*WHOLE)
    assert is_whole(await client.messages.create(**ASKED))


async def test_a_stream(client: anthropic.AsyncAnthropic, server: AnthropicServer) -> None:
    server.behave = sending(*WHOLE)
    async with client.messages.stream(**ASKED) as stream:
        kinds = [event.type async for event in stream]
        assert is_whole(await stream.get_final_message())
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 5
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")


async def test_a_search_is_cited(client: anthropic.AsyncAnthropic, server: AnthropicServer) -> None:
    page = {"type": "web_search_result", "url": "https://a.example", "title": "A"}
    found = [{**page, "encrypted_content": "x", "page_age": None}]
    server.behave = sending(
        begun(),
        *block(0, "server_tool_use", id="srvtoolu_1", name="web_search", input={}),
        *block(1, "web_search_tool_result", tool_use_id="srvtoolu_1", content=found),
        *said("So.", index=2),
        *ended(),
    )
    async with client.messages.stream(**ASKED) as stream:
        message = await stream.get_final_message()
    used, result, text = message.content
    assert used.type == "server_tool_use"
    assert result.type == "web_search_tool_result"
    assert isinstance(result.content, list)
    assert (result.tool_use_id, result.content[0].url) == (used.id, "https://a.example")
    assert text.type == "text"
    assert text.citations
    assert text.citations[0].type == "web_search_result_location"


async def test_what_is_asked_reaches_the_provider(
    client: anthropic.AsyncAnthropic, server: AnthropicServer
) -> None:
    """Whatever it is: tools and results, thoughts, images, documents, hints to cache."""
    server.behave = sending(*answering("11 degrees."))
    dot, pdf = base64.b64encode(b"dot" * 500_000).decode(), base64.b64encode(b"%PDF").decode()
    cached = {"type": "ephemeral"}
    image = {"type": "base64", "media_type": "image/png", "data": dot}
    document = {"type": "base64", "media_type": "application/pdf", "data": pdf}
    messages: Any = [
        {
            "role": "user",
            "content": [
                {"type": "document", "source": document, "title": "a.pdf"},
                {"type": "image", "source": image},
                {"type": "text", "text": "Where is this?", "cache_control": cached},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "content": [{"type": "text", "text": "broken"}],
                },
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    tool: Any = {"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}
    asked = {"tool_choice": {"type": "auto"}, "stop_sequences": ["END"], "max_tokens": 3_000}
    system: Any = [{"type": "text", "text": "Be kind.", "cache_control": cached}]
    await client.messages.create(
        **{**ASKED, "messages": messages, "tools": [tool], "system": system, **asked},
        thinking={"type": "adaptive"},
        output_config={"effort": "low"},
        metadata={"user_id": "nobody"},
    )
    told = asked_of(server)
    assert told["model"] == "claude-x"
    assert told["messages"] == messages
    assert (told["system"], told["tools"]) == (system, [tool])
    assert {name: told[name] for name in asked} == asked
    assert told["thinking"]["type"] == "adaptive"
    assert told["output_config"] == {"effort": "low"}
    assert "metadata" not in told


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_key_counts_in_either_header_and_wherever_it_comes_from(
    gateway: GatewayProcess, api_key: str, server: AnthropicServer, header: str
) -> None:
    server.behave = sending(*answering("Hi"))
    key = f"Bearer {api_key}" if header == "authorization" else api_key
    with httpx.Client(base_url=gateway.base_url, headers={header: key}) as http:
        answer = http.post("/v1/messages", json=ASKED, headers={"origin": "https://elsewhere"})
        assert answer.status_code == 200
        wrong = http.post("/v1/messages", json=ASKED, headers={header: f"{key}x"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
    assert api_key not in wrong.text


def test_a_session_counts_from_here_alone(ada: User, server: AnthropicServer) -> None:
    server.behave = sending(*answering("Hi"))
    assert ada.http.post("/v1/messages", json=ASKED).status_code == 200
    elsewhere = {"origin": "https://elsewhere"}
    refused = ada.http.post("/v1/messages", json=ASKED, headers=elsewhere)
    assert (refused.status_code, refused.json()["error"]["type"]) == (403, "permission_error")
    ada.http.cookies.clear()
    nobody = ada.http.post("/v1/messages", json=ASKED)
    assert (nobody.status_code, nobody.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"model": "anthropic/claude-y"}, 404, "unknown model 'anthropic/claude-y'"),
        ({"model": "nobody/claude-x"}, 404, "unknown model 'nobody/claude-x'"),
        ({"max_tokens": 0}, 400, "max_tokens: "),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, 400, "messages.0."),
        ({"messages": [{"role": "user", "content": " "}]}, 400, "nothing to answer"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, 400, "tools.0.type: "),
    ],
)
async def test_what_is_wrong_with_a_request_is_told(
    client: anthropic.AsyncAnthropic, changes: dict[str, Any], status: int, told: str
) -> None:
    for stream in (False, True):
        with pytest.raises(anthropic.APIStatusError) as error:
            await client.messages.create(**{**ASKED, **changes}, stream=stream)
        assert error.value.status_code == status
        assert told in (error.value.api_message or "")
        assert error.value.type == ("not_found_error" if status == 404 else "invalid_request_error")


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (b"{", {}, 400, "invalid_request_error"),
        (b'{"model": "\\ud800"}', {}, 400, "invalid_request_error"),
        (b"[]", {}, 400, "invalid_request_error"),
        (b"{}", {"content-type": "text/plain"}, 415, "invalid_request_error"),
        (b" " * (MOST_BYTES + 1), {}, 413, "request_too_large"),
    ],
)
def test_bodies_that_are_none(
    gateway: GatewayProcess,
    api_key: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    known = {"x-api-key": api_key, "content-type": "application/json", **headers}
    with httpx.Client(base_url=gateway.base_url, headers=known) as http:
        for body in (content, iter([content])):  # of a known length, and of none
            answer = http.post("/v1/messages", content=body)
            assert answer.status_code == status
            assert answer.json()["type"] == "error"
            assert answer.json()["error"]["type"] == kind


@pytest.mark.parametrize(
    ("refused", "error", "kind", "retry_after"),
    [
        (
            refusal(429, "rate_limit_error", "Slowly", **{"retry-after": "7"}),
            *(anthropic.RateLimitError, "rate_limit_error", "7"),
        ),
        (
            refusal(429, "rate_limit_error", "Slowly"),
            *(anthropic.RateLimitError, "rate_limit_error", None),
        ),
        (
            refusal(529, "overloaded_error", "Overloaded"),
            *(anthropic.OverloadedError, "overloaded_error", None),
        ),
        (
            refusal(400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
            *(anthropic.BadRequestError, "invalid_request_error", None),
        ),
        (
            refusal(401, "authentication_error", f"invalid x-api-key: {KEY}"),
            *(anthropic.InternalServerError, "api_error", None),
        ),
        ((500, f"<html>{KEY}</html>", {}), anthropic.InternalServerError, "api_error", None),
        (
            refusal(504, "timeout_error", "Late"),
            *(anthropic.GatewayTimeoutError, "timeout_error", None),
        ),
    ],
)
async def test_a_provider_that_refuses(
    client: anthropic.AsyncAnthropic,
    gateway: GatewayProcess,
    server: AnthropicServer,
    refused: Any,
    error: type[anthropic.APIStatusError],
    kind: str,
    retry_after: str | None,
) -> None:
    await known(client, server)
    server.refusal = refused
    for stream in (False, True):
        with pytest.raises(error) as failure:
            await client.messages.create(**ASKED, stream=stream)
        assert failure.value.type == kind
        assert failure.value.response.headers.get("retry-after") == retry_after
        assert ("prompt is too long" in failure.value.response.text) == (refused[0] == 400)
        assert KEY not in failure.value.response.text
    assert KEY not in gateway.said


async def known(client: anthropic.AsyncAnthropic, server: AnthropicServer) -> None:
    """A list of models is kept for a while; one that was refused, for a second."""
    server.behave = sending(*answering("Hi"))
    await client.messages.create(**ASKED)


async def listen(client: anthropic.AsyncAnthropic, heard: list[str]) -> None:
    async with client.messages.stream(**ASKED) as stream:
        async for text in stream.text_stream:
            heard.append(text)


BROKEN = [
    sending(begun(), *said("half")),
    sending(begun(), *said("half"), "{not json"),
    then_reset(begun(), *said("half")),
    sending(
        begun(),
        *said("half"),
        {"type": "error", "error": {"type": "overloaded_error", "message": KEY}},
    ),
]


@pytest.mark.parametrize("behave", BROKEN, ids=["no-end", "no-json", "reset", "error"])
async def test_a_stream_that_breaks_off_ends_with_an_error(
    client: anthropic.AsyncAnthropic, gateway: GatewayProcess, server: AnthropicServer, behave: Any
) -> None:
    server.behave = behave
    heard: list[str] = []
    with pytest.raises(anthropic.APIStatusError) as error:
        await listen(client, heard)
    assert heard == ["half"]
    assert error.value.type in ("api_error", "rate_limit_error")
    with pytest.raises(anthropic.APIStatusError) as error:
        await client.messages.create(**ASKED)
    assert error.value.status_code in (429, 502)
    assert KEY not in gateway.said


@pytest.mark.parametrize(
    ("sent", "stream", "until"),
    [
        ([begun(), *said("word")], True, b"word"),
        ([begun()], True, b""),
        ([begun()], False, b""),
        ([begun(), *said("word")], False, b""),
    ],
    ids=["in-a-stream", "before-a-stream", "before-a-message", "in-a-message"],
)
async def test_who_leaves_ends_the_providers_work(
    gateway: GatewayProcess,
    api_key: str,
    server: AnthropicServer,
    sent: list[Any],
    stream: bool,
    until: bytes,
) -> None:
    server.behave = then_silence(*sent)
    body = json.dumps({**ASKED, "stream": stream}).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {api_key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(head.encode() + body)
    if until:
        await reader.readuntil(until)
    await asyncio.to_thread(eventually, lambda: any("messages" in r for r in server.requests))
    left_at = time.perf_counter()
    writer.close()
    await writer.wait_closed()
    assert await asyncio.to_thread(server.cancelled.wait, 5)
    assert time.perf_counter() - left_at < 3


async def test_answers_at_once_are_counted_until_they_end(
    client: anthropic.AsyncAnthropic, server: AnthropicServer
) -> None:
    server.behave = then_silence(begun(), *said("word"))
    streams = [await client.messages.create(**ASKED, stream=True) for _ in range(2)]
    with pytest.raises(anthropic.RateLimitError, match="at most 2 at a time"):
        await client.messages.create(**ASKED)
    await streams[0].close()
    server.behave = sending(*answering("Hi"))

    async def is_free() -> bool:
        with suppress(anthropic.RateLimitError):
            return bool((await client.messages.create(**ASKED)).content)
        return False

    async with asyncio.timeout(5):
        while not await is_free():
            await asyncio.sleep(0.05)
    await streams[1].close()


async def test_models_of_others_answer_in_the_same_words(
    client: anthropic.AsyncAnthropic,
) -> None:
    tool: Any = {"name": "getWeather", "input_schema": {"type": "object"}}
    asked = {**ASKED, "model": "mock/tools", "tools": [tool]}
    question = {"role": "user", "content": 'getWeather({"city": "Rome"}) getWeather({})'}
    async with client.messages.stream(**{**asked, "messages": [question]}) as stream:
        message = await stream.get_final_message()
    calls = [block for block in message.content if isinstance(block, ToolUseBlock)]
    assert [call.input for call in calls] == [{"city": "Rome"}, {}]
    thinking = await client.messages.create(**{**ASKED, "model": "mock/reasoning"})
    assert [block.type for block in thinking.content] == ["thinking", "text"]
    with pytest.raises(anthropic.APIStatusError, match="stopped answering"):
        async with client.messages.stream(**{**ASKED, "model": "mock/flaky"}) as stream:
            await stream.get_final_message()


def test_the_chat_asks_anthropics_models_too(
    gateway: GatewayProcess, server: AnthropicServer, chat: str
) -> None:
    server.behave = sending(*SPOKEN, *ended())
    user = gateway.user()
    user.ask("Hi", chat=chat, model="anthropic/claude-x")
    assert text_of(user.answer(chat)) == "Let me see. 🦆"
    assert user.answer(chat)["metadata"]["status"] == "complete"
    assert any("tools" in request for request in server.requests)  # the other asks for a title


def test_no_key_is_in_the_log(gateway: GatewayProcess, api_key: str) -> None:
    """Nor any failure that nobody has foreseen."""
    eventually(lambda: "provider failed" in gateway.said, what=lambda: gateway.said)
    assert "Traceback" not in gateway.said
    assert "never retrieved" not in gateway.said
    assert KEY not in gateway.said
    assert api_key not in gateway.said
