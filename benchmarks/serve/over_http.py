"""What HTTP and Ray Serve add to the engine: first token and throughput, one stream and many.

    python -m benchmarks.serve.over_http [--rounds 7] [--tokens 48] [--output FILE]

`raylm serve` (Ray Serve behind HAProxy, the engine in the replica that answers) and the same engine
in a process of its own, without any server, take turns in every round with the same prompts. No
prompt is used twice by either, so that neither finds it cached. A row is the rounds' median.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console
from rich.table import Table

from raylm import AsyncLLM
from raylm.core.sampling import SamplingParams
from raylm_apps.deploy.ports import free_ports

STREAMS = (1, 32)
FIRST_TOKEN_BARS_S = {1: 0.006, 32: 0.025}
THROUGHPUT_BAR = 0.90
PROMPT_TOKENS = 32
READY_S = 300

Prompts = list[list[int]]


@dataclass(frozen=True)
class Turn:
    """Of all streams together."""

    first_token_s: float
    tokens_per_s: float


Contender = Callable[[Prompts, int], Awaitable[Turn]]


async def timed(streams: Sequence[AsyncIterator[int]]) -> Turn:
    """Each yields how many tokens have come."""
    began = time.perf_counter()
    firsts: list[float] = []

    async def read(stream: AsyncIterator[int]) -> int:
        tokens = 0
        async for count in stream:
            if not tokens:
                firsts.append(time.perf_counter() - began)
            tokens += count
        return tokens

    tokens = sum(await asyncio.gather(*map(read, streams)))
    return Turn(statistics.median(firsts), tokens / (time.perf_counter() - began))


def in_process(engine: AsyncLLM) -> Contender:
    async def one(prompt: list[int], tokens: int) -> AsyncIterator[int]:
        params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        async for delta in engine.stream(prompt, params):
            yield len(delta.token_ids)

    async def turn(prompts: Prompts, tokens: int) -> Turn:
        return await timed([one(prompt, tokens) for prompt in prompts])

    return turn


def over_http(session: aiohttp.ClientSession) -> Contender:
    async def one(prompt: list[int], tokens: int) -> AsyncIterator[int]:
        body = {
            "model": "smollm2",
            "prompt": prompt,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        told = 0
        async with session.post("/v1/completions", json=body) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    if event.get("usage"):  # a text may hold several tokens, or none yet
                        yield event["usage"]["completion_tokens"] - told
                    else:
                        told += 1
                        yield 1

    async def turn(prompts: Prompts, tokens: int) -> Turn:
        return await timed([one(prompt, tokens) for prompt in prompts])

    return turn


@contextlib.asynccontextmanager
async def served(quantization: str) -> AsyncIterator[aiohttp.ClientSession]:
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "raylm_apps.cli", "serve", "--port", str(port)]
    options = ["--set", f"serve.quantization={quantization}", "--set", "serve.threads=1"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + READY_S
    connector = aiohttp.TCPConnector(limit=max(STREAMS))
    try:
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", connector=connector
        ) as session:
            while True:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("raylm serve did not start; its error is above")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get("/health") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.2)
            yield session
    finally:
        process.terminate()
        process.wait()


async def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    dice = random.Random(0)
    engine = AsyncLLM("smollm2", quantization=options.quantization, threads=1)
    async with served(options.quantization) as session, engine:
        contenders = {"engine": in_process(engine), "served": over_http(session)}
        rows = []
        for streams in STREAMS:
            turns: dict[str, list[Turn]] = {name: [] for name in contenders}
            for number in range(options.rounds + 1):
                prompts = [
                    [dice.randrange(100, 40_000) for _ in range(PROMPT_TOKENS)]
                    for _ in range(streams)
                ]
                for name, contender in contenders.items():
                    turn = await contender(prompts, options.tokens)
                    if number:  # the first is for warming up
                        turns[name].append(turn)
            rows.append(row(streams, turns))
        return rows


def row(streams: int, turns: dict[str, list[Turn]]) -> dict[str, Any]:
    pairs = list(zip(turns["engine"], turns["served"], strict=True))
    added_s = statistics.median(theirs.first_token_s - ours.first_token_s for ours, theirs in pairs)
    ratio = statistics.median(theirs.tokens_per_s / ours.tokens_per_s for ours, theirs in pairs)
    return {
        "streams": streams,
        "engine_first_token_ms": round(
            1e3 * statistics.median(ours.first_token_s for ours, _ in pairs), 2
        ),
        "added_ms": round(1e3 * added_s, 2),
        "added_bar_ms": 1e3 * FIRST_TOKEN_BARS_S[streams],
        "throughput": round(ratio, 3),
        "throughput_bar": THROUGHPUT_BAR,
        "met": added_s <= FIRST_TOKEN_BARS_S[streams] and ratio >= THROUGHPUT_BAR,
    }


def print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("streams", "engine's first token", "added", "bar", "throughput", "bar", "")
    for one in rows:
        table.add_row(
            str(one["streams"]),
            f"{one['engine_first_token_ms']:.1f} ms",
            f"{one['added_ms']:.1f} ms",
            f"{one['added_bar_ms']:.0f}",
            f"{one['throughput']:.2f} x",
            f"{one['throughput_bar']:.2f}",
            "met" if one["met"] else "missed",
        )
    Console().print(table)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.serve.over_http")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--quantization", default="int4", choices=["int4", "int8", "none"])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    rows = asyncio.run(compare(options))
    print_table(rows)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        result = {"benchmark": "over_http", "tokens": options.tokens, "results": rows}
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
