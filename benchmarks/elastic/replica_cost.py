"""CPU seconds that replicas cost a step.

    python -m benchmarks.elastic.replica_cost [--rounds 12] [--stage 2]

Two groups of two workers train the same model, one with replicas and one without; they take
turns of a few steps each, in an order that alternates. A figure is the median of the rounds'
ratios, with the quartiles.
"""

import argparse
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.elastic.arena import Arena, arena
from raylm.runtime.session import ray_session

BAR = 1.03
STEPS, WARMUP = 8, 3
MODEL = {
    "model__hidden_size": 384,
    "model__num_layers": 6,
    "model__num_heads": 6,
    "data__tokenizer__vocab_size": 8192,
    "data__sequence_length": 256,
    "batch__global": 8,
    "batch__micro": 4,
}
_TICKS = os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--stage", type=int, default=2)
    options = parser.parse_args(arguments)
    ratios = []
    with (
        ray_session(cpus=5),
        arena(2, 10**6, zero__stage=options.stage, elastic__replicas=0, **MODEL) as without,
        arena(2, 10**6, zero__stage=options.stage, elastic__replicas=1, **MODEL) as with_them,
    ):
        for ring in (without, with_them):
            _cpu_seconds(ring, WARMUP)
        for number in range(options.rounds):
            order = (without, with_them) if number % 2 else (with_them, without)
            seconds = {id(ring): _cpu_seconds(ring, STEPS) for ring in order}
            ratios.append(seconds[id(with_them)] / seconds[id(without)])
        held = next(with_them.updates).replica_bytes
    low, median, high = statistics.quantiles(ratios, n=4)
    verdict = "met" if median <= BAR else "missed"
    print(
        f"stage {options.stage}: CPU seconds a step with replicas / without {median:.3f} "
        f"({low:.3f} to {high:.3f}), bar {BAR}: {verdict}; {held / 2**20:.0f} MiB a rank"
    )


def _cpu_seconds(ring: Arena, steps: int) -> float:
    """Of the workers, until the last step's replicas have landed."""
    before = sum(map(_used, ring.pids))
    for _ in range(steps):
        next(ring.updates)
    ring.group.call("settle")
    return sum(map(_used, ring.pids)) - before


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


if __name__ == "__main__":
    main()
