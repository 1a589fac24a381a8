"""What `/v1` costs beside the least that a relay in Python can be, in turns of one run.

LiteLLM's proxy takes part where RAYLM_LITELLM names its program (`litellm[proxy]`).

    python -m benchmarks.gateway.relay [--seconds 5] [--rounds 3] [--only NAME ...]

`small`: streams of ten chunks a second, 32 clients. `paced`: 100 chunks, one every 10 ms, to 1, 32
and 128 streams at once: what is added to the first token, and the relay's CPU for a chunk.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles

import aiohttp
import psutil

from benchmarks.gateway.rig import Rig, free_port, rig

MODELS = ("fake", "chunks")
LITELLM_KEY = "sk-benchmark-0001"
CLIENTS = 32
STREAMS = (1, 32, 128)
ADDED_BARS_MS = {1: 3, 32: 15, 128: 50}


@dataclass
class Contender:
    """`process` is the relay's own; None for the upstream asked directly."""

    name: str
    url: str
    process: psutil.Process | None
    model: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, model: str) -> dict[str, object]:
        messages = [{"role": "user", "content": "How soon do you answer?"}]
        return {"model": self.model.format(model), "stream": True, "messages": messages}

    def cpu_s(self) -> float:
        if self.process is None:
            return 0.0
        times = self.process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES))
    given = parser.parse_args()
    with (
        rig(RAYLM_V1_ACCESS="anyone") as running,
        bare_relay(running) as bare,
        litellm(running) as peers,
    ):
        asyncio.run(measure(running, bare, peers, given))


@contextmanager
def bare_relay(running: Rig) -> Iterator[Contender]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.gateway.bare_relay:app"]
    command += ["--port", str(port), "--log-level", "warning", "--no-access-log"]
    environment = {**os.environ, "UPSTREAM_URL": running.provider_url}
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield Contender(
                "bare relay", f"http://127.0.0.1:{port}/v1", psutil.Process(process.pid)
            )
        finally:
            process.terminate()


@contextmanager
def litellm(running: Rig) -> Iterator[list[Contender]]:
    """None where it is not installed."""
    program = os.environ.get("RAYLM_LITELLM")
    if program is None:
        yield []
        return
    port = free_port()
    names = [{"model_name": name, "litellm_params": _upstream(running, name)} for name in MODELS]
    config = {"model_list": names, "general_settings": {"master_key": LITELLM_KEY}}
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        json.dump(config, file)  # which is YAML, too
        file.flush()
        command = [program, "--config", file.name, "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            watched = psutil.Process(process.pid)
            headers = {"authorization": f"Bearer {LITELLM_KEY}"}
            try:
                yield [Contender("LiteLLM", f"http://127.0.0.1:{port}/v1", watched, "{}", headers)]
            finally:
                process.terminate()


def _upstream(running: Rig, model: str) -> dict[str, str]:
    return {"model": f"openai/{model}", "api_base": running.provider_url, "api_key": "none"}


async def measure(
    running: Rig, bare: Contender, peers: list[Contender], given: argparse.Namespace
) -> None:
    await running.wait()
    contenders = [
        *(bare, *peers),
        Contender("open", f"{running.gateway_url}/v1", running.gateway, "openai/{}"),
        await with_key(running),
    ]
    async with aiohttp.ClientSession() as client:
        for one in (bare, *peers):
            while not await _answers(client, one):
                await asyncio.sleep(0.1)
    for name in given.only:
        await MEASURES[name](Contender("direct", running.provider_url, None), contenders, given)


async def with_key(running: Rig) -> Contender:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        account = {"email": "program@example.com", "password": "correct horse battery"}
        async with client.post(f"{running.gateway_url}/api/auth/register", json=account) as answer:
            assert answer.status == 200, await answer.text()
        async with client.post(f"{running.gateway_url}/api/keys", json={"name": "it"}) as answer:
            key = (await answer.json())["key"]
    headers = {"authorization": f"Bearer {key}"}
    return Contender(
        "with a key", f"{running.gateway_url}/v1", running.gateway, "openai/{}", headers
    )


async def small(direct: Contender, contenders: list[Contender], given: argparse.Namespace) -> None:
    rates: dict[str, list[float]] = {one.name: [] for one in contenders}
    cpu: dict[str, list[float]] = {one.name: [] for one in contenders}
    for one in contenders:
        await _rate(one, 2)
    for _ in range(given.rounds):
        for one in contenders:
            before = one.cpu_s()
            rate = await _rate(one, given.seconds)
            rates[one.name].append(rate)
            cpu[one.name].append(1000 * (one.cpu_s() - before) / (rate * given.seconds))
    bare = rates["bare relay"]
    for name, found in rates.items():
        ratio = median(value / of for value, of in zip(found, bare, strict=True))
        print(
            f"small streams/s, 32 clients, {name:12} {median(found):7.0f}  {ratio:5.2f} x bare"
            f"   CPU {median(cpu[name]):.2f} ms each",
            flush=True,
        )


async def paced(direct: Contender, contenders: list[Contender], given: argparse.Namespace) -> None:
    for streams in STREAMS:
        rounds = [
            {one.name: await _paced(one, streams) for one in (direct, *contenders)}
            for _ in range(given.rounds)
        ]
        for one in contenders:
            firsts = [first for round_ in rounds for first in round_[one.name][0]]
            plain = [first for round_ in rounds for first in round_["direct"][0]]
            chunk_us = median(round_[one.name][1] for round_ in rounds)
            added = median(firsts) - median(plain)
            print(
                f"{streams:4} streams, {one.name:12} first token +{added:6.1f}"
                f" ms (bar {ADDED_BARS_MS[streams]}), p99 {quantiles(firsts, n=100)[-1]:7.1f} ms,"
                f" CPU of a chunk {chunk_us:5.0f} us",
                flush=True,
            )


async def _paced(one: Contender, streams: int) -> tuple[list[float], float]:
    """Milliseconds to each first token, and microseconds of CPU for a chunk."""
    async with _client() as client:
        before = one.cpu_s()
        found = await asyncio.gather(
            *(_ask(client, one, "chunks", delay_s=n * 1.0 / streams) for n in range(streams))
        )
        return [first for first, _ in found], 1e6 * (one.cpu_s() - before) / (100 * streams)


async def _rate(one: Contender, seconds: float) -> float:
    async with _client() as client:
        end = time.perf_counter() + seconds

        async def ask_on() -> int:
            count = 0
            while time.perf_counter() < end:
                await _ask(client, one, "fake")
                count += 1
            return count

        return sum(await asyncio.gather(*(ask_on() for _ in range(CLIENTS)))) / seconds


async def _ask(
    client: aiohttp.ClientSession, one: Contender, model: str, delay_s: float = 0.0
) -> tuple[float, bytes]:
    await asyncio.sleep(delay_s)
    started, first, seen = time.perf_counter(), 0.0, b""
    url = f"{one.url}/chat/completions"
    async with client.post(url, json=one.body(model), headers=one.headers) as response:
        assert response.status == 200, await response.text()
        async for piece in response.content.iter_any():
            first = first or 1000 * (time.perf_counter() - started)
            seen += piece
    assert seen.endswith(b"data: [DONE]\n\n"), seen[-200:]
    return first, seen


async def _answers(client: aiohttp.ClientSession, one: Contender) -> bool:
    try:
        await _ask(client, one, "fake")
    except (aiohttp.ClientError, AssertionError):
        return False
    return True


def _client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


Measure = Callable[[Contender, list[Contender], argparse.Namespace], Awaitable[None]]
MEASURES: dict[str, Measure] = {"small": small, "paced": paced}

if __name__ == "__main__":
    main()
