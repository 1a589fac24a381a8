"""Decode, prefill and shared prefixes beside llama.cpp, transformers and vLLM, in one run.

Every contender is a process that stays alive and warm; in every round each takes its turn while
all others wait, in an order that is reversed every other round. One thread is timed by its
process's CPU clock, two by the wall. A figure is the median over the rounds of the median step; a
ratio is taken within a round, and is the median over the rounds.

Example: raylm bench decode --rounds 7 --output runs/bench_decode.json
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks.infer.contender import Contender, ContenderError
from benchmarks.infer.decode_peers import PEERS, Missing, starts
from benchmarks.infer.decode_race import FULL, QUICK, Race, Size
from benchmarks.infer.decode_report import as_dict, report
from benchmarks.train.foreign_load import ForeignLoad
from raylm.checkpoint.source import open_model_or_run
from raylm.models.source import ModelSource

TEXT = "tinyshakespeare.txt"
TABLE_WIDTH = 120
_CHARACTERS_PER_TOKEN = 8  # more than any text has: only as much is read and encoded

console = Console(highlight=False, markup=False, soft_wrap=True)
console.width = max(console.width, TABLE_WIDTH)  # a pipe would get 80


def main(arguments: Sequence[str] = ()) -> None:
    options = _options(arguments)
    size = QUICK if options.quick else FULL
    size = replace(size, rounds=options.rounds or size.rounds)
    source = open_model_or_run(options.model)
    text = None if options.text is None else _tokens(options.text, source, size)
    load = ForeignLoad.open()
    missing: list[Missing] = []
    with ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        for found in starts(options.model, source, options.peers):
            if isinstance(found, Missing):
                missing.append(found)
                continue
            name, start = found
            console.print(f"starting {name}")
            contenders[name] = stack.enter_context(start())
        for contender in contenders.values():
            contender.wait_until_ready()
        race = Race(contenders, size, source.spec.vocab_size, console.print)
        race.run()
        if text is not None:
            race.perplexity(text)
    found_of = (options.model, size, race.figures, missing, load.cores())
    report(console, *found_of)
    result = json.dumps(as_dict(*found_of))
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(result + "\n")
        console.print(f"written to {options.output}")
    if options.json:
        print(result)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="raylm bench decode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="smollm2", help="a name, folder, GGUF or run")
    parser.add_argument("--rounds", type=_positive, help="default: 5")
    parser.add_argument(
        "--quick", action="store_true", help="one round of a few tokens: a smoke test"
    )
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, default=PEERS, help="default: all that are installed"
    )
    parser.add_argument(
        "--text",
        type=Path,
        default=_corpus(),
        help=f"for the perplexity; {TEXT} of RAYLM_TEST_DATA",
    )
    parser.add_argument("--output", type=Path, help="a JSON file for the table and every figure")
    parser.add_argument("--json", action="store_true", help="print one JSON object last")
    options = parser.parse_args(arguments)
    if options.text is not None and not options.text.is_file():
        parser.error(f"--text {options.text}: no such file")
    return options


def _positive(word: str) -> int:
    if (number := int(word)) < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _corpus() -> Path | None:
    folder = os.environ.get("RAYLM_TEST_DATA")
    return Path(folder) / TEXT if folder else None


def _tokens(text: Path, source: ModelSource, size: Size) -> list[int]:
    wanted = size.window * size.windows
    beginning = text.read_text(encoding="utf-8")[: wanted * _CHARACTERS_PER_TOKEN]
    tokens = source.tokenizer.encode(beginning)[:wanted]
    if len(tokens) < wanted:
        raise SystemExit(f"--text {text} has {len(tokens)} tokens; {wanted} are needed")
    return tokens


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ContenderError as error:
        sys.exit(str(error))
