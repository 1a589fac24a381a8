"""The race's findings as a table and as one JSON object."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.infer.decode_peers import Missing
from benchmarks.infer.decode_race import Size
from benchmarks.infer.decode_rows import INT4, INT8, Figures, Finding, findings, left_out

UNDISTURBED_CORES = 0.1
_ALONE = (f"{INT4} GB/s", f"{INT8} perplexity", "llama.cpp Q8_0 perplexity")


def as_dict(
    model: str,
    size: Size,
    figures: Mapping[str, list[float]],
    missing: Sequence[Missing],
    foreign_cores: float,
) -> dict[str, Any]:
    return {
        "benchmark": "decode",
        "model": model,
        "size": asdict(size),
        "rows": [
            {**asdict(found), "ratio": found.ratio, "met": found.met} for found in findings(figures)
        ],
        "left_out": [row.what for row in left_out(figures)],
        "missing": [asdict(one) for one in missing],
        "foreign_cores": foreign_cores,
        "figures": dict(figures),
    }


def report(
    console: Console,
    model: str,
    size: Size,
    figures: Figures,
    missing: Sequence[Missing],
    foreign_cores: float,
) -> None:
    console.print(_table(model, size, figures), soft_wrap=False)
    for name in _ALONE:
        if name in figures:
            console.print(f"{name}: {median(figures[name]):.2f}")
    for one in missing:
        console.print(f"without {one.peer}: {one.remedy}")
    for row in left_out(figures):
        console.print(f"left out: {row.what}, beside {' or '.join(row.peers)}")
    if foreign_cores > UNDISTURBED_CORES:
        console.print(f"DISTURBED: other programs used {foreign_cores:.1f} cores, repeat it alone")


def _table(model: str, size: Size, figures: Figures) -> Table:
    title = (
        f"{model}: context {size.context}, prefill of {size.prefill}, {size.requests} requests "
        f"sharing {size.shared_prefix} tokens, {size.rounds} rounds; one thread unless said"
    )
    table = Table("", title=title)
    for column in ("raylm", "peer", "", "ratio", "lowest", "highest", "bar", ""):
        table.add_column(column, justify="right" if column not in ("peer",) else "left")
    for found in findings(figures):
        row = found.row
        table.add_row(
            row.what,
            f"{found.ours:.1f} {row.unit}",
            _short(found),
            f"{found.theirs:.1f}",
            f"{found.ratio:.2f}",
            f"{min(found.ratios):.2f}",
            f"{max(found.ratios):.2f}",
            f"{'<=' if row.at_most else '>='} {row.bar:g}",
            "met" if found.met else "missed",
        )
    return table


def _short(found: Finding) -> str:
    """The peer's figure, without what it has in common with ours."""
    return found.peer.removesuffix(" decode 1").removesuffix(" decode 8")
