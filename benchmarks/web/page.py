"""The page in Chromium: how soon it is there, and whether a long chat slows it down.

    python -m benchmarks.web.page [--rounds 5] [--output FILE]

A gateway with its embedded stores; a row is the median of the rounds. A page is interactive when
its input has the focus and has shown a key in the next frame, and no long task follows. A chat is
opened by a click in the sidebar, first thing in a visit. Of the one that is written on all messages
are in the page, and the model writes from within it, every word in a chunk of its own.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.serving import gateway_for
from benchmarks.web.browser import chromium
from benchmarks.web.figures import Figure, initial_js
from benchmarks.web.long_chat import write_long_chat
from benchmarks.web.opening import opening
from benchmarks.web.visits import visits
from benchmarks.web.writing import writing
from raylm_apps.gateway.embedded import EmbeddedStores

OWNER = "reader-0000"


def measure(rounds: int) -> list[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedStores(folder) as urls,
        gateway_for(OWNER, urls, Path(folder)) as client,
        chromium() as browser,
    ):
        chat_id = write_long_chat(urls.database_url, OWNER)
        return [
            initial_js(),
            *visits(browser, client, rounds),
            opening(browser, client, chat_id, rounds),
            *writing(browser, client, chat_id, rounds),
        ]


def machine() -> str:
    """`2 x AMD EPYC 9B45`, where Linux tells."""
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.exists() else ""
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return f"{os.cpu_count()} x {name.group(1) if name else platform.machine()}"


def print_table(figures: Sequence[Figure]) -> None:
    table = Table("", "measured", "rounds", "bar", "")
    for figure in figures:
        table.add_row(figure.name, figure.text, figure.range, figure.bar_text, figure.verdict)
    Console().print(table)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.web.page")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    figures = measure(options.rounds)
    print(machine())
    print_table(figures)
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        results = [figure.as_json() for figure in figures]
        result = {"benchmark": "page", "machine": machine(), "results": results}
        options.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
