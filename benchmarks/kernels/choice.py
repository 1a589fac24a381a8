"""How good the registry's choice is over a grid of shapes, and how soon a second process has it.

    python -m benchmarks.kernels.choice [--rounds 21]

The registry chooses with an empty cache, by a few runs for a class of shapes. Then all that can
serve each shape are timed in turns, at length, and what it chose is held against the best. A second
process asks for the first shape's choice: its time is that of loading the kernels and the cache.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.kernels.interleaved import median_seconds
from raylm_kernels import catalog
from raylm_kernels.choices import Choices
from raylm_kernels.registry import Registry

CHOICE_BAR, SECOND_BAR_MS = 1.1, 50
ROWS, WIDTHS = (1, 7, 64, 1000), (64, 576, 4096)
_Case = tuple[str, tuple[object, ...]]

SECOND = """
import time, torch
from raylm_kernels import catalog
x = torch.randn({rows}, {width})
began = time.perf_counter()
catalog.registry.choose("rms_norm", (x, torch.ones({width}), 1e-6))
print((time.perf_counter() - began) * 1e3)
"""


def grid() -> Iterator[_Case]:
    for rows in ROWS:
        for width in WIDTHS:
            x, y = torch.randn(rows, width), torch.randn(rows, width)
            yield "rms_norm", (x, torch.ones(width), 1e-6)
            yield "rms_norm_backward", ([y], x, torch.ones(width), 1e-6)
            yield "swiglu", (x, y)
            yield "cross_entropy", (x, torch.randint(width, (rows,)))
            yield "squared_norm", ([x],)


def times(registry: Registry, case: _Case, rounds: int) -> tuple[str, dict[str, float]]:
    op, args = case
    chosen = registry.choose(op, args).name
    calls = {
        name: lambda one=one: one.function(*args)
        for name, one in registry.entry(op).implementations.items()
        if not one.obstacle(args)
    }
    return chosen, median_seconds(calls, rounds)


def second_process_ms(folder: str) -> float:
    environment = os.environ | {"RAYLM_CACHE_DIR": folder}
    code = SECOND.format(rows=ROWS[0], width=WIDTHS[0])
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(4)
    ]
    return min(float(run.stdout) for run in runs[1:])  # the first one takes the times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry(Choices(Path(folder)))
        for op in catalog.registry.ops():
            entry = catalog.registry.entry(op)
            registry.define(op, entry.reference, entry.mutates, entry.gradients)
            for one in list(entry.implementations.values())[1:]:
                registry.add(one)
        ratios = []
        for case in grid():
            chosen, seconds = times(registry, case, rounds)
            best = min(seconds, key=lambda name: seconds[name])
            ratios.append(seconds[chosen] / seconds[best])
            if ratios[-1] > CHOICE_BAR:
                shape = [list(t.shape) for t in case[1] if isinstance(t, torch.Tensor)][:1]
                print(f"{case[0]} {shape}: chose {chosen}, {best} is {ratios[-1]:.2f}x as fast")
    met = sum(ratio <= CHOICE_BAR for ratio in ratios)
    verdict = "met" if met == len(ratios) else "missed"
    print(f"{met} of {len(ratios)} shapes within {CHOICE_BAR} of the best: {verdict}")
    with tempfile.TemporaryDirectory() as folder:
        second = second_process_ms(folder)
    verdict = "met" if second <= SECOND_BAR_MS else "missed"
    print(f"a second process has its choice after {second:.0f} ms (bar {SECOND_BAR_MS}): {verdict}")


if __name__ == "__main__":
    main()
