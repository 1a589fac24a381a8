"""Many streams of completions at once, and how soon and how fast their tokens come."""

import asyncio
import json
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiohttp

Prompts = list[list[int]]


@dataclass(frozen=True)
class Turn:
    """Of all streams together; the first token is the median stream's."""

    first_token_s: float
    tokens_per_s: float


Contender = Callable[[Prompts, int], Awaitable[Turn]]


def random_prompts(dice: random.Random, streams: int, tokens: int) -> Prompts:
    return [[dice.randrange(100, 40_000) for _ in range(tokens)] for _ in range(streams)]


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
