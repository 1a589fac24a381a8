"""A training step of RayLM's ZeRO stages beside one process, DDP, FSDP2 and DeepSpeed.

python -m benchmarks.train.zero_peers [--shape compute|comm] [--rounds 3] [--modes ddp raylm2 ...]

A Llama of 24.0M parameters, one thread for each rank, gloo over loopback. The modes run in turn in
every round, in fresh processes; a figure is the median over the rounds, a bar's that of the
rounds' ratios. `pair` is so many processes that do not communicate: what this machine allows at
most. DeepSpeed runs in an environment of its own (`make peers`, or RAYLM_PEERS_PYTHON).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.train import ranks
from benchmarks.train.agreement import agreements
from benchmarks.train.modes import MODES
from benchmarks.train.ranks import RankFigures, RunError, Workload
from benchmarks.train.standing import Standing
from benchmarks.train.zero_bars import BARS
from benchmarks.train.zero_report import TABLE_WIDTH, report

Rounds = dict[str, list[list[RankFigures]]]  # mode -> round -> rank

console = Console(highlight=False, markup=False, soft_wrap=True)
console.width = max(console.width, TABLE_WIDTH)  # a pipe would get 80


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
        report(console, name, workload, standings, failures)
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
        for mode in modes if number % 2 else reversed(modes):  # so that a drift cancels out
            if mode in failures:
                continue
            try:
                rounds[mode].append(ranks.run(MODES[mode], workload))
            except RunError as error:
                failures[mode] = str(error)
                console.print(f"{shape}, round {number}, {mode} failed:\n{error}")
                continue
            now = Standing.of(rounds[mode][-1:])
            console.print(
                f"{shape}, round {number}, {mode}: wall {now.wall_s:.3f} s, CPU {now.cpu_s:.3f} s "
                f"(other programs {now.foreign_cores:.2f} cores)"
            )
    return {mode: runs for mode, runs in rounds.items() if mode not in failures}, failures


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
        "agreements": [
            {"over": found.over, "holds": found.holds, "distances": found.distances}
            for found in agreements(standings)
        ],
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
