"""A training step of RayLM's ZeRO stages beside one process, DDP, FSDP2 and DeepSpeed.

python -m benchmarks.train.zero_peers [--shape compute|comm] [--rounds 3] [--modes ddp raylm2 ...]

A Llama of 24.0M parameters, one thread and one core for each rank, gloo over loopback. The modes
run in turn in every round, in fresh processes; a figure is the median over the rounds. `pair` is
so many processes that do not communicate: what this machine allows at most. DeepSpeed runs in an
environment of its own (`make peers`, or RAYLM_PEERS_PYTHON).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.train import ranks
from benchmarks.train.modes import MODES
from benchmarks.train.ranks import RankFigures, RunFailed, Workload
from benchmarks.train.standing import TOLERANCE, Standing, disagreement
from benchmarks.train.zero_bars import BARS

Rounds = dict[str, list[list[RankFigures]]]  # mode -> round -> rank

console = Console(highlight=False)


@dataclass(frozen=True)
class Shape:
    """Steps of `compute` last for seconds; those of `comm` are short beside what they send."""

    batch: int
    sequence: int
    steps: int
    warmup: int


SHAPES = {"compute": Shape(4, 256, steps=6, warmup=2), "comm": Shape(1, 64, steps=20, warmup=4)}


def main(arguments: Sequence[str] = ()) -> None:
    options = _options(arguments)
    modes = _installed(options.modes)
    results = []
    for name in [options.shape] if options.shape else SHAPES:
        shape = SHAPES[name]
        workload = Workload(
            world=options.world,
            batch=shape.batch,
            sequence=shape.sequence,
            precision=options.precision,
            steps=options.steps or shape.steps,
            warmup=shape.warmup,
        )
        rounds, failures = _race(name, modes, workload, options.rounds)
        standings = {mode: Standing.of(runs) for mode, runs in rounds.items()}
        _print(name, workload, standings, failures)
        results.append(_summary(name, workload, rounds, standings, failures))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"benchmark": "zero_peers", "rounds": options.rounds, "shapes": results}
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    console.print(f"written to {options.output}")


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.train.zero_peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--world", type=int, default=2)
    parser.add_argument("--shape", choices=SHAPES, help="default: all")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--steps", type=int, help="timed steps of a run; default: the shape's")
    parser.add_argument("--output", type=Path, default=Path("runs/bench_zero_peers.json"))
    return parser.parse_args(arguments)


def _installed(modes: Sequence[str]) -> list[str]:
    if ranks.peers_python():
        return list(modes)
    console.print("without DeepSpeed: `make peers` installs it into .venv-peers")
    return [mode for mode in modes if MODES[mode].family != "deepspeed"]


def _race(
    shape: str, modes: Sequence[str], workload: Workload, count: int
) -> tuple[Rounds, dict[str, str]]:
    """The figures of the modes that ran, and the error of each that failed in any round."""
    rounds: Rounds = {mode: [] for mode in modes}
    failures: dict[str, str] = {}
    for number in range(1, count + 1):
        for mode in modes:
            if mode in failures:
                continue
            try:
                rounds[mode].append(ranks.run(MODES[mode], workload))
            except RunFailed as error:
                failures[mode] = str(error)
                console.print(f"{shape}, round {number}, {mode} failed:\n{error}", markup=False)
                continue
            now = Standing.of(rounds[mode][-1:])
            console.print(
                f"{shape}, round {number}, {mode}: wall {now.wall_s:.3f} s, CPU {now.cpu_s:.3f} s"
            )
    return {mode: runs for mode, runs in rounds.items() if mode not in failures}, failures


def _print(
    shape: str, workload: Workload, standings: dict[str, Standing], failures: dict[str, str]
) -> None:
    console.print(_table(shape, workload, standings, failures))
    for line in _losses(workload.precision, standings):
        console.print(line)
    for bar in BARS:
        if bar.shape == shape:
            ratio = bar.ratio(standings)
            found = "" if ratio is None else f" ({ratio:.3f})"
            console.print(f"{bar.verdict(standings):<12} {bar}{found}")


def _table(
    shape: str, workload: Workload, standings: dict[str, Standing], failures: dict[str, str]
) -> Table:
    title = (
        f"{shape}: world {workload.world}, batch {workload.batch} x {workload.sequence}, "
        f"{workload.precision}"
    )
    table = Table(title=title, caption="times for each step and rank; sent for each rank / Psi")
    table.add_column("mode")
    columns = ("CPU s", "/ single", "wall s", "/ pair", "/ ds3strict", "sent", "counted", "RSS MB")
    for column in columns:
        table.add_column(column, justify="right")
    for mode, row in standings.items():
        table.add_row(
            mode,
            f"{row.cpu_s:.3f}",
            _ratio(row, standings.get("single"), "cpu_s"),
            f"{row.wall_s:.3f}",
            _ratio(row, standings.get("pair"), "wall_s"),
            _ratio(row, standings.get("deepspeed3strict"), "wall_s"),
            f"{row.loopback_psi:.2f}",
            "" if row.counted_psi is None else f"{row.counted_psi:.3f}",
            f"{row.peak_rss_bytes / 1e6:.0f}",
        )
    for mode in failures:
        table.add_row(mode, "failed")
    return table


def _ratio(row: Standing, peer: Standing | None, quantity: str) -> str:
    return "" if peer is None else f"{getattr(row, quantity) / getattr(peer, quantity):.2f}"


def _losses(precision: str, standings: dict[str, Standing]) -> list[str]:
    """Modes that average the same gradients must lose alike; those alone train on their own data,
    and share with the others the very first loss of rank 0."""
    if precision != "fp32":
        lines = [f"{mode}: {row.arithmetic}" for mode, row in standings.items()]
        return [f"losses are not compared, the arithmetic differs in {precision}", *lines]
    together = {m: row.losses for m, row in standings.items() if MODES[m].communicates}
    alone = {m: row.first_rank_losses for m, row in standings.items() if not MODES[m].communicates}
    first = {m: row.first_rank_losses[:1] for m, row in standings.items()}
    groups = {"every step, together": together, "every step, alone": alone, "first step": first}
    return [_agreement(name, losses) for name, losses in groups.items() if len(losses) > 1]


def _agreement(name: str, losses: dict[str, tuple[float, ...]]) -> str:
    distances = disagreement(losses)
    apart = {mode: distance for mode, distance in distances.items() if distance > TOLERANCE}
    reference = next(iter(losses))
    if apart:
        found = ", ".join(f"{mode} by {distance:.4f}" for mode, distance in apart.items())
        return f"LOSSES DIFFER ({name}) from {reference}'s: {found}"
    modes, largest = ", ".join(losses), max(distances.values())
    return f"losses agree to 3 decimals ({name}; at most {largest:.0e} apart): {modes}"


def _summary(
    shape: str,
    workload: Workload,
    rounds: Rounds,
    standings: dict[str, Standing],
    failures: dict[str, str],
) -> dict[str, object]:
    return {
        "shape": shape,
        **asdict(workload),
        "results": [asdict(row) for row in standings.values()],
        "losses": _losses(workload.precision, standings),
        "bars": [
            {"bar": str(bar), "ratio": bar.ratio(standings), "verdict": bar.verdict(standings)}
            for bar in BARS
            if bar.shape == shape
        ],
        "failures": failures,
        "runs": rounds,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
