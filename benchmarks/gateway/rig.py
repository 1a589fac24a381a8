"""A gateway on one uvicorn worker with its stores and a provider, and clients that ask it."""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import psutil

from raylm_apps.gateway.embedded import EmbeddedStores

APP = ("raylm_apps.gateway.main:create_app", "--log-level", "warning", "--no-access-log")
OPEN_FILES = 8_192

# Counted like any, but never reached.
HIGH_LIMITS = {
    f"RAYLM_{name}": "1000000"
    for name in (
        "GUESTS_PER_HOUR_FROM_ADDRESS",
        "GUEST_MESSAGES_PER_HOUR",
        "MESSAGES_PER_HOUR_FROM_ADDRESS",
        "MAX_ANSWERS_PER_USER",
        "MAX_ANSWERS_PER_KEY",
        "MESSAGES_PER_HOUR_OF_KEY",
        "MAX_ANSWERS_FROM_ADDRESS",
        "MAX_READERS_PER_USER",
        "MAX_READERS_FROM_ADDRESS",
    )
}


@dataclass(frozen=True)
class Rig:
    provider_url: str
    gateway_url: str
    database_url: str
    gateway: psutil.Process
    variables: Mapping[str, str]
    """The gateway's environment."""

    def cpu_s(self) -> float:
        """The gateway's own CPU seconds, without its stores."""
        times = self.gateway.cpu_times()
        return float(times.user + times.system)

    def resident_mb(self) -> float:
        return float(self.gateway.memory_info().rss) / 1e6

    async def wait(self) -> None:
        async with aiohttp.ClientSession() as client:
            await _until_alive(client, f"{self.gateway_url}/health/live")
            await _until_alive(client, f"{self.provider_url}/models")

    async def first_token_s(
        self, client: aiohttp.ClientSession, model: str, *, direct: bool = False
    ) -> float:
        """Of a stream that is then read to its end; `direct` asks the provider itself."""
        if direct:
            url, body = f"{self.provider_url}/chat/completions", {"model": model, "messages": []}
        else:
            url, body = f"{self.gateway_url}/api/chat", question(f"openai/{model}")
        started, first, seen = time.perf_counter(), None, b""
        async with client.post(url, json=body) as response:
            assert response.status == 200, await response.text()
            async for chunk in response.content.iter_any():
                seen += chunk
                if first is None and b'word "' in seen:
                    first = time.perf_counter() - started
        assert first is not None, seen
        assert seen.endswith(b"data: [DONE]\n\n"), seen[-200:]
        return first


def question(model: str, text: str = "How soon do you answer?") -> dict[str, object]:
    part = {"type": "text", "text": text}
    message = {"id": str(uuid.uuid4()), "role": "user", "parts": [part]}
    return {"id": str(uuid.uuid4()), "message": message, "selectedChatModel": model}


@contextmanager
def rig(**variables: str) -> Iterator[Rig]:
    _allow_open_files()
    provider_port, gateway_port = free_port(), free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        urls = stack.enter_context(EmbeddedStores(folder))
        provider_url = f"http://127.0.0.1:{provider_port}/v1"
        script = Path(__file__).with_name("fake_provider.py")
        stack.enter_context(_running([str(script), str(provider_port)]))
        settings = {
            "OPENAI_BASE_URL": provider_url,
            "OPENAI_API_KEY": "none",
            "RAYLM_DATABASE_URL": urls.database_url,
            "RAYLM_REDIS_URL": urls.redis_url,
            "RAYLM_DATA_DIR": folder,
            "RAYLM_MOCK_PROVIDER": "1",
            **HIGH_LIMITS,
            **variables,
        }
        command = ["-m", "uvicorn", "--factory", *APP, "--port", str(gateway_port)]
        process = psutil.Process(stack.enter_context(_running(command, **settings)).pid)
        gateway_url = f"http://127.0.0.1:{gateway_port}"
        yield Rig(provider_url, gateway_url, urls.database_url, process, settings)


async def guest(base_url: str) -> aiohttp.ClientSession:
    client = aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True),
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=300),
    )
    async with client.post(f"{base_url}/api/auth/guest") as response:
        assert response.status == 200
    return client


async def commits_ms(database_url: str, count: int = 200) -> list[float]:
    """One durable row each, which is the disk's price and nobody's overhead."""
    database = await asyncpg.connect(database_url)
    await database.execute("create table if not exists bench_commit (a text)")
    samples = []
    for _ in range(count):
        started = time.perf_counter()
        await database.execute("insert into bench_commit values ('one durable row')")
        samples.append(1000 * (time.perf_counter() - started))
    await database.close()
    return samples


@contextmanager
def _running(arguments: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **variables}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen([sys.executable, *arguments], env=environment, stderr=log) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


async def _until_alive(client: aiohttp.ClientSession, url: str) -> None:
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


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, hard), hard))
