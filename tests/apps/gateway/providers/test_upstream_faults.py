"""Whatever a provider's server does wrong, in whatever dialect, is told in one language."""

import asyncio
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing

import aiohttp
import pytest
from aiohttp import web

from raylm.core.wire.events import Event, Finished, TextDelta
from raylm.core.wire.failure import Failure
from raylm.core.wire.prompt import Prompt, Turn
from raylm_apps.gateway.providers import upstream
from raylm_apps.gateway.providers.base import UNREACHABLE, Provider, ProviderError
from raylm_apps.gateway.providers.registry import KINDS
from tests.apps.gateway.harness import free_port
from tests.apps.gateway.mail_server import certificate
from tests.apps.gateway.providers.dialects import DIALECTS, KEY, Dialect
from tests.apps.gateway.providers.upstream_server import (
    UpstreamServer,
    sending,
    upstream_server,
    writing,
)

PROMPT = Prompt([Turn("user", "Hi")])


@pytest.fixture(params=DIALECTS, ids=lambda dialect: str(dialect.name))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture(scope="module")
def its_own_word(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path_factory.mktemp("certificate")))
    return context


@pytest.fixture
async def server() -> AsyncIterator[UpstreamServer]:
    async with upstream_server() as server:
        yield server


@pytest.fixture
async def provider(dialect: Dialect, server: UpstreamServer) -> AsyncIterator[Provider]:
    async with aiohttp.ClientSession() as client:
        yield dialect.speaker(server.url, client)


async def answer(provider: Provider, dialect: Dialect) -> list[Event]:
    return [event async for event in provider.stream(dialect.model, PROMPT)]


async def failure(provider: Provider, dialect: Dialect, *before: Event) -> ProviderError:
    """How it ends, after those events. Never does the error have the key."""
    events = provider.stream(dialect.model, PROMPT)
    assert [await anext(events) for _ in before] == list(before)
    with pytest.raises(ProviderError) as caught:
        await anext(events)
    error = caught.value
    assert KEY not in f"{error} {error.message} {error.cause} {vars(error)}"
    return error


def test_every_kind_that_has_a_server_is_here() -> None:
    assert {dialect.name for dialect in DIALECTS} == KINDS.keys() - {"mock"}


async def test_nobody_listens(dialect: Dialect) -> None:
    async with aiohttp.ClientSession() as client:
        provider = dialect.speaker(f"http://127.0.0.1:{free_port()}", client)
        assert (await failure(provider, dialect)).failure is Failure.UNREACHABLE
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        assert caught.value.failure is Failure.UNREACHABLE


async def test_the_name_is_nobodys(dialect: Dialect) -> None:
    async with aiohttp.ClientSession() as client:
        provider = dialect.speaker("http://nobody.invalid", client)
        assert (await failure(provider, dialect)).failure is Failure.UNREACHABLE
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        assert caught.value.failure is Failure.UNREACHABLE


async def test_its_certificate_is_nobodys(dialect: Dialect, its_own_word: ssl.SSLContext) -> None:
    """One that it has signed itself: neither key nor question is told to it."""
    async with upstream_server(its_own_word) as server, aiohttp.ClientSession() as client:
        server.behave = sending(dialect.said("secrets"), *dialect.end)
        provider = dialect.speaker(server.url, client)
        error = await failure(provider, dialect)
        assert (error.failure, error.message) == (Failure.UNREACHABLE, UNREACHABLE)
        assert "certificate" in error.cause.lower()
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        assert caught.value.failure is Failure.UNREACHABLE
        assert server.paths == []


async def test_it_speaks_no_tls(dialect: Dialect, server: UpstreamServer) -> None:
    async with aiohttp.ClientSession() as client:
        provider = dialect.speaker(server.url.replace("http:", "https:"), client)
        assert (await failure(provider, dialect)).failure is Failure.UNREACHABLE
        assert server.paths == []


@pytest.mark.parametrize("words", [[], ["half"]])
async def test_it_stalls(
    provider: Provider,
    dialect: Dialect,
    server: UpstreamServer,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def stall(request: web.Request, response: web.StreamResponse) -> None:
        await sending(*map(dialect.said, words))(request, response)
        await asyncio.Event().wait()

    monkeypatch.setattr(upstream, "PATIENCE", aiohttp.ClientTimeout(total=None, sock_read=0.2))
    server.behave = stall
    error = await failure(provider, dialect, *map(TextDelta, words))
    assert error.failure is Failure.TIMEOUT


async def test_it_resets_in_mid_stream(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    heard = asyncio.Event()

    async def reset(request: web.Request, response: web.StreamResponse) -> None:
        await sending(dialect.said("half"))(request, response)
        await heard.wait()
        assert request.transport is not None
        request.transport.abort()

    server.behave = reset
    events = provider.stream(dialect.model, PROMPT)
    assert await anext(events) == TextDelta("half")
    heard.set()
    with pytest.raises(ProviderError) as caught:
        await anext(events)
    assert caught.value.failure is Failure.BROKEN_OFF


@pytest.mark.parametrize("nonsense", ["{not json", "[1, 2]", "3", '"text"', "null", "\ufffd"])
async def test_it_sends_nonsense(
    provider: Provider, dialect: Dialect, server: UpstreamServer, nonsense: str
) -> None:
    server.behave = sending(dialect.said("half"), nonsense)
    error = await failure(provider, dialect, TextDelta("half"))
    assert error.failure is Failure.BROKEN_OFF


async def test_bytes_come_one_by_one(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    said = json.dumps(dialect.said("é😀"), ensure_ascii=False)
    end = "".join(f"data: {json.dumps(event)}\n\n" for event in dialect.end)
    stream = f"data: {said}\n\n{end}".encode()
    server.behave = writing(*(bytes([byte]) for byte in stream))
    assert await answer(provider, dialect) == [TextDelta("é😀"), Finished("stop")]


async def test_an_event_that_nobody_knows_is_passed_over(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    server.behave = sending(dialect.said("a"), dialect.unknown, dialect.said("b"), *dialect.end)
    told = await answer(provider, dialect)
    assert told == [TextDelta("a"), TextDelta("b"), Finished("stop")]


@pytest.mark.parametrize(
    ("headers", "body", "retry_after_s"),
    [
        ({"Retry-After": "7"}, "slow down", 7.0),
        ({}, "slow down", None),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, "slow down", None),
        ({}, '{"error": {"details": [{"retryDelay": "34.5s"}]}}', 34.5),
    ],
)
async def test_it_is_busy(
    provider: Provider,
    dialect: Dialect,
    server: UpstreamServer,
    headers: dict[str, str],
    body: str,
    retry_after_s: float | None,
) -> None:
    server.refusal = (429, body, headers)
    error = await failure(provider, dialect)
    assert (error.failure, error.retry_after_s) == (Failure.BUSY, retry_after_s)


async def test_the_key_is_wrong(
    provider: Provider,
    dialect: Dialect,
    server: UpstreamServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And nobody who reads the error or the log learns it, though the server says it aloud."""
    server.refusal = (*dialect.wrong_key, {})
    with caplog.at_level(logging.DEBUG):
        error = await failure(provider, dialect)
        with pytest.raises(ProviderError) as caught:
            await provider.models()
    assert (error.failure, caught.value.failure) == (Failure.KEY, Failure.KEY)
    assert "(key)" in error.cause
    assert KEY not in f"{caught.value.cause} {caplog.text}"


async def test_the_key_is_in_a_header_alone(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    server.behave = sending(*dialect.end)
    assert await answer(provider, dialect) == [Finished("stop")]
    assert any(KEY in value for value in server.headers[0].values())
    assert KEY not in f"{server.paths} {server.requests}"


async def test_an_error_within_the_stream_keeps_the_key(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    server.behave = sending(dialect.said("half"), dialect.error)
    error = await failure(provider, dialect, TextDelta("half"))
    assert error.failure in (Failure.SERVER, Failure.BROKEN_OFF)
    assert "(key)" in error.cause


async def test_a_page_of_html(provider: Provider, dialect: Dialect, server: UpstreamServer) -> None:
    server.refusal = (500, "<html><h1>Oh no</h1></html>", {"content-type": "text/html"})
    assert (await failure(provider, dialect)).failure is Failure.SERVER


async def test_html_where_an_answer_should_be(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    server.behave = writing(b"<html>\n<h1>Log in</h1>\n</html>\n")
    assert (await failure(provider, dialect)).failure is Failure.BROKEN_OFF


@pytest.mark.parametrize("last", [[], ["[DONE]"]])
async def test_it_closes_without_a_finish(
    provider: Provider, dialect: Dialect, server: UpstreamServer, last: list[str]
) -> None:
    server.behave = sending(dialect.said("half"), *last)
    error = await failure(provider, dialect, TextDelta("half"))
    assert error.failure is Failure.BROKEN_OFF


async def test_ten_megabytes_in_one_line(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    megabyte = b"x" * 1_000_000
    server.behave = writing(b'data: {"a": "', *[megabyte] * 10, b'"}\n\n')
    error = await failure(provider, dialect)
    assert error.failure is Failure.BROKEN_OFF
    assert "bytes" in error.cause


async def test_closing_the_stream_cancels_the_work(
    provider: Provider, dialect: Dialect, server: UpstreamServer
) -> None:
    async def forever(request: web.Request, response: web.StreamResponse) -> None:
        await sending(dialect.said("word"))(request, response)
        await asyncio.Event().wait()

    server.behave = forever
    async with aclosing(provider.stream(dialect.model, PROMPT)) as events:
        assert await anext(events) == TextDelta("word")
    async with asyncio.timeout(10):
        await server.cancelled.wait()
