"""What the gateway adds to the first token: one stream at a time, direct and through it by turns.

The path is the whole one: session, PostgreSQL, Redis log, the OpenAI adapter over HTTP. The one
durable commit, which is the disk's price, is measured on the same database and shown separately.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import aiohttp
import asyncpg

from raylm_apps.gateway.embedded import EmbeddedStores, StoreUrls

APP = ("raylm_apps.gateway.main:create_app", "--log-level", "warning", "--no-access-log")
WARM_UP, ROUNDS = 30, 200
Measure = Callable[[], Awaitable[float]]


def main() -> None:
    provider_port, gateway_port = free_port(), free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedStores(folder) as urls,
        running([str(Path(__file__).with_name("fake_provider.py")), str(provider_port)]),
        running(
            ["-m", "uvicorn", "--factory", *APP, "--port", str(gateway_port)],
            OPENAI_BASE_URL=f"http://127.0.0.1:{provider_port}/v1",
            OPENAI_API_KEY="none",
            RAYLM_DATABASE_URL=urls.database_url,
            RAYLM_REDIS_URL=urls.redis_url,
            RAYLM_DATA_DIR=folder,
        ),
    ):
        asyncio.run(compare(provider_port, gateway_port, urls))


async def compare(provider_port: int, gateway_port: int, urls: StoreUrls) -> None:
    direct_url = f"http://127.0.0.1:{provider_port}/v1/chat/completions"
    gateway_url = f"http://127.0.0.1:{gateway_port}"
    database = await asyncpg.connect(urls.database_url)
    await database.execute("create table bench_commit (a text)")
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as client:
        await until_alive(client, f"{gateway_url}/health/live")
        await until_alive(client, f"{direct_url.removesuffix('chat/completions')}models")
        await client.post(f"{gateway_url}/api/auth/guest")

        async def direct() -> float:
            return await first_token_s(client, direct_url, {"model": "fake", "messages": []})

        async def through_gateway() -> float:
            return await first_token_s(client, f"{gateway_url}/api/chat", question())

        async def commit() -> float:
            started = time.perf_counter()
            await database.execute("insert into bench_commit values ('one durable row')")
            return time.perf_counter() - started

        samples = await by_turns(direct, through_gateway, commit)
    await database.close()
    report(*samples)


async def by_turns(*measures: Measure) -> list[list[float]]:
    samples: list[list[float]] = [[] for _ in measures]
    for number in range(WARM_UP + ROUNDS):
        for measure, kept in zip(measures, samples, strict=True):
            seconds = await measure()
            if number >= WARM_UP:
                kept.append(1000 * seconds)
    return samples


async def first_token_s(client: aiohttp.ClientSession, url: str, body: dict[str, object]) -> float:
    started = time.perf_counter()
    async with client.post(url, json=body) as response:
        assert response.status == 200, await response.text()
        seen, first = b"", None
        async for chunk in response.content.iter_any():
            seen += chunk
            if first is None and b'word "' in seen:
                first = time.perf_counter() - started
    assert first is not None, seen
    return first


def question() -> dict[str, object]:
    part = {"type": "text", "text": "How soon do you answer?"}
    message = {"id": str(uuid.uuid4()), "role": "user", "parts": [part]}
    return {"id": str(uuid.uuid4()), "message": message, "selectedChatModel": "openai/fake"}


def report(direct: list[float], gateway: list[float], commit: list[float]) -> None:
    print(f"{'first token, one stream':28} {'p50 ms':>8} {'p90 ms':>8}")
    rows = {"direct": direct, "through the gateway": gateway, "one durable commit": commit}
    for name, values in rows.items():
        print(f"{name:28} {median(values):8.2f} {quantiles(values, n=10)[-1]:8.2f}")
    added = median(gateway) - median(direct)
    print(f"{'added by the gateway':28} {added:8.2f}")
    print(f"{'  beside the commit':28} {added - median(commit):8.2f}   (bar: 10)")


@contextmanager
def running(arguments: list[str], **variables: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *arguments], env={**os.environ, **variables})
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def until_alive(client: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                async with client.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
