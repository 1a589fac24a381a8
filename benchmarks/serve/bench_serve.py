"""`raylm serve` beside the servers of vLLM and llama.cpp: first token and tokens a second of 1, 8
and 32 streams, all over HTTP, each server with one thread for the model.

    raylm bench serve [--rounds 3] [--tokens 48] [--streams 1 8 32] [--output FILE]

The servers run at once and take turns in every round with the same prompts, none of which is used
twice. `raylm serve` runs as it comes (int4 with an int8 head), llama.cpp the same weights in Q4_0,
vLLM in the format that is fastest on this CPU. A figure is the rounds' median.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.infer.decode_peers import (
    LLAMA_CPP_REMEDY,
    VLLM_REMEDY,
    llama_cpp_python,
    vllm_python,
)
from benchmarks.infer.peer_models import gguf, hf_folder
from benchmarks.serve.servers import MODEL, llama_cpp_server, raylm_server, vllm_server
from benchmarks.serve.streams import Contender, Turn, over_http, random_prompts
from raylm.checkpoint.source import open_model_or_run

OURS = "raylm serve, int4"
PROMPT_TOKENS = 128


@contextlib.asynccontextmanager
async def contenders(streams: int) -> AsyncIterator[Mapping[str, Contender]]:
    """Those that are installed, ready."""
    source = open_model_or_run(MODEL)
    async with contextlib.AsyncExitStack() as running:
        servers = {OURS: raylm_server("int4")}
        if python := llama_cpp_python():
            servers["llama.cpp Q4_0"] = llama_cpp_server(python, gguf(source, "q4_0"), streams)
        else:
            print(f"without llama.cpp: {LLAMA_CPP_REMEDY}")
        if python := vllm_python():
            servers["vLLM"] = vllm_server(python, hf_folder(source))
        else:
            print(f"without vLLM: {VLLM_REMEDY}")
        yield {
            name: over_http(await running.enter_async_context(server))
            for name, server in servers.items()
        }


async def race(options: argparse.Namespace) -> list[dict[str, Any]]:
    dice = random.Random(0)
    rows = []
    async with contenders(max(options.streams)) as racing:
        for streams in options.streams:
            turns: dict[str, list[Turn]] = {name: [] for name in racing}
            for number in range(options.rounds + 1):
                prompts = random_prompts(dice, streams, PROMPT_TOKENS)
                for name, contender in racing.items():
                    turn = await contender(prompts, options.tokens)
                    if number:  # the first is for warming up
                        turns[name].append(turn)
            rows += [row(streams, name, found, turns[OURS]) for name, found in turns.items()]
    return rows


def row(streams: int, name: str, turns: Sequence[Turn], ours: Sequence[Turn]) -> dict[str, Any]:
    """`first_token` and `throughput`: how many times as soon and as fast as this server ours is."""
    pairs = list(zip(turns, ours, strict=True))
    return {
        "streams": streams,
        "server": name,
        "first_token_ms": round(1e3 * statistics.median(one.first_token_s for one in turns), 1),
        "tokens_per_s": round(statistics.median(one.tokens_per_s for one in turns), 1),
        "first_token": _ratio([one.first_token_s / our.first_token_s for one, our in pairs]),
        "throughput": _ratio([our.tokens_per_s / one.tokens_per_s for one, our in pairs]),
    }


def _ratio(found: Sequence[float]) -> float:
    return round(statistics.median(found), 2)


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("streams", "server", "first token", "ours sooner", "tokens/s", "ours faster")
    for one in rows:
        is_ours = one["server"] == OURS
        table.add_row(
            str(one["streams"]),
            one["server"],
            f"{one['first_token_ms']:.0f} ms",
            "" if is_ours else f"{one['first_token']:.1f} x",
            f"{one['tokens_per_s']:.0f}",
            "" if is_ours else f"{one['throughput']:.1f} x",
        )
    Console().print(table)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    rows = asyncio.run(race(options))
    print_table(rows)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        result = {"benchmark": "serve", "tokens": options.tokens, "results": rows}
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
