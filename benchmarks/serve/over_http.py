"""What HTTP and Ray Serve add to the engine: first token and throughput, one stream and many.

    python -m benchmarks.serve.over_http [--rounds 7] [--tokens 48] [--output FILE]

`raylm serve` (Ray Serve behind HAProxy, the engine in the replica that answers) and the same engine
in a process of its own, without any server, take turns in every round with the same prompts. No
prompt is used twice by either, so that neither finds it cached. A row is the rounds' median.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.serve.servers import raylm_server
from benchmarks.serve.streams import Contender, Prompts, Turn, over_http, random_prompts, timed
from raylm import AsyncLLM
from raylm.core.sampling import SamplingParams

STREAMS = (1, 32)
FIRST_TOKEN_BARS_S = {1: 0.006, 32: 0.025}
THROUGHPUT_BAR = 0.90
PROMPT_TOKENS = 32


def in_process(engine: AsyncLLM) -> Contender:
    async def one(prompt: list[int], tokens: int) -> AsyncIterator[int]:
        params = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        async for delta in engine.stream(prompt, params):
            yield len(delta.token_ids)

    async def turn(prompts: Prompts, tokens: int) -> Turn:
        return await timed([one(prompt, tokens) for prompt in prompts])

    return turn


async def compare(options: argparse.Namespace) -> list[dict[str, Any]]:
    dice = random.Random(0)
    engine = AsyncLLM("smollm2", quantization=options.quantization, threads=1)
    async with raylm_server(options.quantization) as session, engine:
        contenders = {"engine": in_process(engine), "served": over_http(session)}
        rows = []
        for streams in STREAMS:
            turns: dict[str, list[Turn]] = {name: [] for name in contenders}
            for number in range(options.rounds + 1):
                prompts = random_prompts(dice, streams, PROMPT_TOKENS)
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
