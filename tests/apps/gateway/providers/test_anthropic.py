"""The adapter against a server that behaves, and misbehaves, as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import anthropic
import pytest

from raylm.core.wire.events import Event, Finished, TextDelta, Usage
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import File, Prompt, Sampling, Turn
from raylm_apps.gateway.providers.anthropic import AnthropicProvider
from raylm_apps.gateway.providers.base import ModelCard, ProviderError
from raylm_apps.gateway.providers.refusals import failure_of
from tests.apps.gateway.providers.anthropic_server import (
    KEY,
    AnthropicServer,
    Behaviour,
    answering,
    begun,
    block,
    byte_by_byte,
    ended,
    refusal,
    said,
    sending,
    then_reset,
    then_silence,
)

MODEL = ModelCard("anthropic/claude-x", "Claude X", "anthropic", remote_id="claude-x")
PROMPT = Prompt([Turn("user", "Hi")])
HALF = [begun(), *said("half")]
SUPPORTED, NOT = {"supported": True}, {"supported": False}


@pytest.fixture
async def server() -> AsyncIterator[AnthropicServer]:
    server = AnthropicServer()
    yield server
    await server.runner.cleanup()


@pytest.fixture
async def address(server: AnthropicServer) -> str:
    return await server.start()


@pytest.fixture
async def provider(address: str) -> AsyncIterator[AnthropicProvider]:
    async with aiohttp.ClientSession() as client:
        yield AnthropicProvider("anthropic", address, client, api_key=KEY)


async def told(
    provider: AnthropicProvider, prompt: Prompt = PROMPT, model: ModelCard = MODEL
) -> list[Event]:
    return [event async for event in provider.stream(model, prompt)]


async def failure(provider: AnthropicProvider) -> ProviderError:
    with pytest.raises(ProviderError) as failed:
        await told(provider)
    assert KEY not in f"{failed.value} {failed.value.message} {failed.value.cause}"
    return failed.value


async def test_an_answer(server: AnthropicServer, provider: AnthropicProvider) -> None:
    server.behave = sending(*answering("Good ", "day"))
    assert await told(provider) == [
        TextDelta("Good "),
        TextDelta("day"),
        Finished("stop", Usage(3, 5)),
    ]
    assert server.requests[0]["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
    ]
    assert server.headers[0]["x-api-key"] == KEY
    assert server.headers[0]["anthropic-version"] == "2026-10-21"


async def test_anthropics_own_client_reads_what_the_tests_send(
    server: AnthropicServer, address: str
) -> None:
    server.behave = sending(*answering("Good ", "day"))
    asked: Any = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    async with (
        anthropic.AsyncAnthropic(api_key=KEY, base_url=address) as client,
        client.messages.stream(model="claude-x", **asked) as stream,
    ):
        message = await stream.get_final_message()
    assert (message.content[0].type, message.stop_reason) == ("text", "end_turn")
    assert message.usage.output_tokens == 5


async def test_sampling_goes_with_the_older_version(
    server: AnthropicServer, provider: AnthropicProvider
) -> None:
    server.behave = sending(*answering("Hi"))
    old = ModelCard("anthropic/old", "", "anthropic", remote_id="claude-haiku-4-5")
    prompt = Prompt(PROMPT.turns, sampling=Sampling(temperature=0))
    for model in (old, MODEL):
        await told(provider, prompt, model)
    assert [headers["anthropic-version"] for headers in server.headers] == [
        *("2023-06-01", "2026-10-21")
    ]
    assert ["temperature" in request for request in server.requests] == [True, False]


async def test_models_come_in_pages(server: AnthropicServer, provider: AnthropicProvider) -> None:
    types = {"adaptive": NOT, "enabled": SUPPORTED}
    capabilities = {"thinking": {**SUPPORTED, "types": types}, "image_input": NOT}
    told_of = {"id": "claude-x", "display_name": "Claude X", "max_input_tokens": 200_000}
    server.models = [
        {
            "data": [{**told_of, "max_tokens": 64, "capabilities": capabilities}],
            "has_more": True,
            "last_id": "claude-x",
        },
        {"data": [{"id": "claude-3-haiku-20240307"}], "has_more": False, "last_id": "x"},
    ]
    assert await provider.models() == [
        ModelCard(
            "anthropic/claude-x",
            "Claude X",
            "anthropic",
            reasoning=True,
            tools=True,
            context_tokens=200_000,
            remote_id="claude-x",
        ),
        ModelCard(
            "anthropic/claude-3-haiku-20240307",
            "claude-3-haiku-20240307",
            "anthropic",
            tools=True,
            vision=True,
            remote_id="claude-3-haiku-20240307",
        ),
    ]
    assert [request.get("after_id") for request in server.requests] == [None, "claude-x"]
    server.behave = sending(*answering("Hi"))
    await told(provider, Prompt(PROMPT.turns, effort="high", sampling=Sampling(max_tokens=9_000)))
    assert server.requests[-1]["thinking"] == {"type": "enabled", "budget_tokens": 4_500}
    await told(provider)
    assert server.requests[-1]["max_tokens"] == 64


@pytest.mark.parametrize(
    "page",
    [{}, {"data": [{}]}, [], {"data": 3}, {"data": [], "has_more": True}, {"data": [{"id": 1}]}],
)
async def test_a_strange_model_list(
    server: AnthropicServer, provider: AnthropicProvider, page: Any
) -> None:
    server.models = [page]
    with pytest.raises(ProviderError, match="cannot be reached"):
        await provider.models()


async def test_a_list_without_an_end_is_not_read_for_ever(
    server: AnthropicServer, provider: AnthropicProvider
) -> None:
    server.models = [{"data": [{"id": "claude-x"}], "has_more": True, "last_id": "claude-x"}]
    assert len(await provider.models()) == len(server.requests) == 20


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (sending(*HALF), Failure.BROKEN_OFF),
        (sending(*HALF, ended()[0]), Failure.BROKEN_OFF),
        (sending(*HALF, "{not json"), Failure.BROKEN_OFF),
        (sending(*HALF, "[1, 2]"), Failure.BROKEN_OFF),
        (sending(*HALF, '{"type": "content_block_delta"}'), Failure.BROKEN_OFF),
        (sending(*HALF, '"' + "x" * 10_000_000 + '"'), Failure.BROKEN_OFF),
        (then_reset(*HALF), Failure.BROKEN_OFF),
        (
            sending(
                *HALF,
                {"type": "error", "error": {"type": "overloaded_error", "message": f"{KEY}!"}},
            ),
            Failure.BUSY,
        ),
    ],
    ids=["no-end", "no-stop", "no-json", "list", "no-index", "10-mb", "reset", "error"],
)
async def test_an_answer_that_breaks_off(
    server: AnthropicServer, provider: AnthropicProvider, behave: Behaviour, expected: Failure
) -> None:
    server.behave = behave
    events = provider.stream(MODEL, PROMPT)
    assert await anext(events) == TextDelta("half")
    with pytest.raises(ProviderError) as failed:
        await anext(events)
    assert failed.value.failure is expected
    assert KEY not in failed.value.cause + failed.value.message


async def test_half_a_character_at_a_time(
    server: AnthropicServer, provider: AnthropicProvider
) -> None:
    server.behave = byte_by_byte(begun(), *said("Grüße 🦆"), *ended())
    assert (await told(provider))[0] == TextDelta("Grüße 🦆")


async def test_events_yet_to_be_invented_are_passed_over(
    server: AnthropicServer, provider: AnthropicProvider
) -> None:
    new = [{"type": "a_new_event", "index": 0}, *block(0, "a_new_block", {"type": "a_new_delta"})]
    server.behave = sending(begun(), *new, *said("Hi", index=1), *ended())
    assert await told(provider) == [TextDelta("Hi"), Finished("stop", Usage(3, 5))]


@pytest.mark.parametrize(
    ("told_as", "expected", "retry_after_s"),
    [
        (refusal(400, "invalid_request_error", "max_tokens: Field required"), "request", None),
        (
            refusal(400, "invalid_request_error", "prompt is too long: 210883 tokens > 199999"),
            *("too-long", None),
        ),
        (
            refusal(400, "invalid_request_error", "input length and `max_tokens` exceed context"),
            *("too-long", None),
        ),
        (
            refusal(400, "invalid_request_error", "max_tokens: 64001 > 64000, which is the most"),
            *("too-long", None),
        ),
        (
            refusal(400, "invalid_request_error", "Output blocked by content filtering policy"),
            *("policy", None),
        ),
        (
            refusal(400, "invalid_request_error", "Your credit balance is too low to access"),
            *("key", None),
        ),
        (refusal(401, "authentication_error", f"invalid x-api-key {KEY}"), "key", None),
        (refusal(402, "billing_error", "Pay"), "key", None),
        (refusal(403, "permission_error", "No"), "key", None),
        (refusal(404, "not_found_error", "model: claude-y"), "missing", None),
        (refusal(413, "request_too_large", "Too large"), "too-long", None),
        (refusal(429, "rate_limit_error", "Slowly", **{"retry-after": "7"}), "busy", 7.0),
        (refusal(429, "rate_limit_error", "Slowly"), "busy", None),
        (refusal(500, "api_error", "Internal server error"), "server", None),
        ((500, f"<html>{'x' * 100_000}</html>", {}), "server", None),
        (refusal(504, "timeout_error", "Late"), "timeout", None),
        (refusal(529, "overloaded_error", "Overloaded"), "busy", None),
        ((302, "", {"location": "http://169.254.169.254/"}), "server", None),
    ],
)
async def test_refusals(
    server: AnthropicServer,
    provider: AnthropicProvider,
    told_as: Any,
    expected: str,
    retry_after_s: float | None,
) -> None:
    server.refusal = told_as
    error = await failure(provider)
    assert (error.failure, error.retry_after_s) == (expected, retry_after_s)
    with pytest.raises(ProviderError):
        await provider.models()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("This model's maximum context length is 8192 tokens", Failure.TOO_LONG),
        ('{"code": "context_length_exceeded"}', Failure.TOO_LONG),
        ("the request exceeds the available context size", Failure.TOO_LONG),
        ("max_tokens is too large: 5000. This model supports at most 4096", Failure.TOO_LONG),
        ("'max_tokens' or 'max_completion_tokens' is too large", Failure.TOO_LONG),
        ("input token count (9) exceeds the maximum number of tokens allowed", Failure.TOO_LONG),
        ("context_management: Extra inputs are not permitted", Failure.REQUEST),
        ("max_tokens: Input should be a valid integer", Failure.REQUEST),
        ("You have reached your specified API usage limits", Failure.KEY),
    ],
)
def test_what_a_bad_request_means_in_anybodys_words(body: str, expected: Failure) -> None:
    assert failure_of(400, body) is expected


async def test_nobody_listens() -> None:
    async with aiohttp.ClientSession() as client:
        provider = AnthropicProvider("anthropic", "http://127.0.0.1:1", client, api_key=KEY)
        assert (await failure(provider)).failure is Failure.UNREACHABLE
        with pytest.raises(ProviderError, match="cannot be reached"):
            await provider.models()


async def test_somebody_listens_who_knows_no_tls(address: str) -> None:
    async with aiohttp.ClientSession() as client:
        secure = address.replace("http:", "https:")
        provider = AnthropicProvider("anthropic", secure, client, api_key=KEY)
        assert (await failure(provider)).failure is Failure.UNREACHABLE


async def test_a_file_that_anthropic_does_not_read(provider: AnthropicProvider) -> None:
    prompt = Prompt([Turn("user", "Look", files=[File("application/zip", b"PK", "a.zip")])])
    with pytest.raises(ProviderError) as failed:
        await told(provider, prompt)
    assert failed.value.failure is Failure.REQUEST


async def test_closing_the_stream_cancels_the_work(
    server: AnthropicServer, provider: AnthropicProvider
) -> None:
    server.behave = then_silence(begun(), *said("word"))
    async with aclosing(provider.stream(MODEL, PROMPT)) as events:
        assert await anext(events) == TextDelta("word")
    async with asyncio.timeout(2):
        while not server.cancelled.is_set():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_address_is_anthropics_clients_or_with_the_version(
    server: AnthropicServer, address: str, suffix: str
) -> None:
    server.behave = sending(*answering("Hi"))
    async with aiohttp.ClientSession() as client:
        provider = AnthropicProvider("anthropic", address + suffix, client, api_key=KEY)
        assert await told(provider)
