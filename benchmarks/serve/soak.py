"""Mixed streams for half an hour: no request may fail, and memory must not grow.

    python -m benchmarks.serve.soak [--minutes 30] [--streams 16] [--output FILE]

The engine's app under uvicorn in a process of its own, as many streams as asked for at all times:
greedy and drawn, one choice and several, with penalties, log-probabilities and stop strings, of
several users and priorities; chats that begin alike, prompts up to most of the context, readers
that dawdle, readers that leave, some before the first word, and requests that must be refused.
Resident memory is read twice a minute, and twelve times at least; flat means that the last third's
median is within 2 % of the middle third's. At the end nothing may run, and no connection may
have been left open.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from raylm_apps.deploy.ports import free_ports

SAMPLE_S = 30.0
FEWEST_SAMPLES = 12
FLAT = 1.02
SPARE_FILES = 4  # open at the end beside those at the beginning
WORDS = [
    "tea",
    "rust",
    "bees",
    "snow",
    "jazz",
    "salt",
    "iron",
    "maps",
    "ants",
    "wind",
    "gold",
    "milk",
    "moss",
    "ice",
    "sand",
    "rain",
]
APP = """
import sys, uvicorn
from raylm import AsyncLLM
from raylm.serve import create_app
options = {"speculation": sys.argv[2], "kv_cache_bytes": 96 * 2**20}
uvicorn.run(create_app(AsyncLLM("smollm2", **options)), port=int(sys.argv[1]), log_level="warning")
"""


NONSENSE: list[dict[str, Any]] = [
    {"max_tokens": 0},
    {"temperature": -1},
    {"messages": [{"role": "user", "content": "tea " * 9_000}]},
    {"logit_bias": {"100000000": 1}},
    {"n": 1_000},
]


@dataclass
class Record:
    ended: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    tokens: int = 0
    resident_mb: list[float] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Of the last third's median over the middle third's."""
        third = len(self.resident_mb) // 3
        middle, last = self.resident_mb[third : 2 * third], self.resident_mb[2 * third :]
        return statistics.median(last) / statistics.median(middle)


def request(dice: random.Random) -> dict[str, Any]:
    """One of many kinds; half of all chats begin alike."""
    system = "You answer briefly. " * 20 if dice.random() < 0.5 else dice.choice(WORDS)
    question = " ".join(dice.choices(WORDS, k=dice.choice((5, 5, 20, 20, 400, 1500))))
    body: dict[str, Any] = {
        "model": "raylm/smollm2",
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": f"Tell me about {question}."},
        ],
        "max_tokens": dice.choice((1, 16, 64)),
        "temperature": dice.choice((0, 0.7, 1.5)),
        "seed": dice.randrange(1000),
        "stream": dice.random() < 0.8,
        "user": dice.choice("abc"),
        "priority": dice.choice((0, 0, 1)),
    }
    kinds: list[dict[str, Any]] = [
        {},
        {"n": 3},
        {"logprobs": True, "top_logprobs": 3},
        {"presence_penalty": 1.0, "frequency_penalty": 0.5},
        {"stop": ["\n", "the end"]},
        {"top_p": 0.9, "top_k": 40},
    ]
    return body | dice.choice(kinds)


async def stream(
    session: aiohttp.ClientSession, dice: random.Random, until: float, record: Record
) -> None:
    """One request after the other."""
    while time.monotonic() < until:
        body, chance = request(dice), dice.random()
        try:
            if chance < 0.05:
                ending = await _refused(session, body | dice.choice(NONSENSE))
            elif chance < 0.1:
                ending = await _left_early(session, body, after_s=dice.uniform(0, 0.5))
            else:
                leaves_after = dice.randrange(1, 6) if chance < 0.2 else None
                ending = await _answered(session, body, leaves_after, chance > 0.9, record)
            record.ended[ending] += 1
        except Exception as error:  # the benchmark's subject
            record.failures.append(f"{error!r} of {json.dumps(body)[:300]}")


async def _refused(session: aiohttp.ClientSession, body: dict[str, Any]) -> str:
    async with session.post("/v1/chat/completions", json=body) as answer:
        if answer.status != 400:
            raise RuntimeError(f"{answer.status}, where 400 is due: {await answer.text()}")
    return "refused"


async def _left_early(
    session: aiohttp.ClientSession, body: dict[str, Any], *, after_s: float
) -> str:
    """Queued, in its prompt or in its first words."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(after_s), session.post("/v1/chat/completions", json=body):
            pass
    return "left early"


async def _answered(
    session: aiohttp.ClientSession,
    body: dict[str, Any],
    leaves_after: int | None,
    dawdles: bool,
    record: Record,
) -> str:
    async with session.post("/v1/chat/completions", json=body) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {await answer.text()}")
        return await _read(answer, leaves_after, dawdles, record)


async def _read(
    answer: aiohttp.ClientResponse, leaves_after: int | None, dawdles: bool, record: Record
) -> str:
    if answer.content_type == "application/json":
        record.tokens += (await answer.json())["usage"]["completion_tokens"]
        return "whole"
    events, text = 0, b""
    async for line in answer.content:
        if not line.strip():
            continue
        events, text = events + 1, line
        if events == leaves_after:
            answer.close()
            return "left"
        if dawdles:
            await asyncio.sleep(0.05)
    if text.strip() != b"data: [DONE]":
        raise RuntimeError(f"the stream ended with {text[:200]!r}")
    record.tokens += events - 1
    return "streamed"


@contextlib.asynccontextmanager
async def engine(speculation: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    (port,) = free_ports(1)
    process = subprocess.Popen([sys.executable, "-c", APP, str(port), speculation])
    try:
        async with aiohttp.ClientSession() as session:
            while True:
                if process.poll() is not None:
                    raise SystemExit("the engine did not start; its error is above")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/health"):
                        break
                await asyncio.sleep(0.2)
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


async def watch(process: psutil.Process, until: float, record: Record) -> None:
    pause_s = min(SAMPLE_S, (until - time.monotonic()) / FEWEST_SAMPLES)
    while (left_s := until - time.monotonic()) > 0.1:
        await asyncio.sleep(min(pause_s, left_s))
        record.resident_mb.append(process.memory_info().rss / 2**20)
        print(
            f"{record.resident_mb[-1]:.0f} MB, {sum(record.ended.values())} requests, "
            f"{len(record.failures)} failed",
            flush=True,
        )


async def soak(options: argparse.Namespace) -> Record:
    record = Record()
    async with engine(options.speculation) as (url, process):
        files, until = process.num_fds(), time.monotonic() + options.minutes * 60
        timeout = aiohttp.ClientTimeout(total=600)
        async with aiohttp.ClientSession(url, timeout=timeout) as session:
            streams = [
                stream(session, random.Random(number), until, record)
                for number in range(options.streams)
            ]
            await asyncio.gather(watch(process, until, record), *streams)
        await asyncio.sleep(1)
        async with aiohttp.ClientSession(url) as session, session.get("/health") as answer:
            health = await answer.json()
        if health["running"] or health["waiting"] or health["free_blocks"] < health["total_blocks"]:
            record.failures.append(f"not idle at the end: {health}")
        if process.num_fds() > files + SPARE_FILES:
            record.failures.append(f"{process.num_fds()} open files at the end, {files} before")
    return record


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.serve.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--speculation", default="ngram", choices=["none", "ngram"])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    record = asyncio.run(soak(options))
    result = {
        "benchmark": "soak",
        "minutes": options.minutes,
        "streams": options.streams,
        "cores": os.cpu_count(),
        "requests": dict(record.ended),
        "tokens": record.tokens,
        "failures": record.failures,
        "resident_mb": [round(one) for one in record.resident_mb],
        "growth": round(record.growth, 4),
        "met": not record.failures and record.growth <= FLAT,
    }
    print(json.dumps(result, indent=2))
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=2) + "\n")
    for failure in record.failures[:5]:
        print(failure)


if __name__ == "__main__":
    main(sys.argv[1:])
