"""From a replacement's first answer to its place in the group.

    python -m benchmarks.elastic.joins [--worlds 2 3 4] [--joins 10]

Between two joins a random worker is killed. The bar leaves the time of moving the bytes out, so
it is judged strictly here.
"""

import argparse
import os
import random
import signal
import statistics
from collections.abc import Sequence

from benchmarks.elastic.arena import arena
from raylm.runtime.session import ray_session

BAR_S = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--joins", type=int, default=10)
    parser.add_argument("--stage", type=int, default=3)
    options = parser.parse_args(arguments)
    with ray_session(cpus=max(options.worlds) + 1):
        for world in options.worlds:
            seconds = joins(world, options.stage, options.joins)
            verdict = "met" if max(seconds) <= BAR_S else "missed"
            print(
                f"world {world}, stage {options.stage}: {len(seconds)} joins, median "
                f"{statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s "
                f"(bar {BAR_S}): {verdict}",
                flush=True,
            )


def joins(world: int, stage: int, count: int) -> list[float]:
    chance = random.Random(0)
    with arena(world, 10_000, zero__stage=stage) as ring:
        next(ring.updates)
        while len(ring.named("worker_joined")) < count:
            os.kill(chance.choice(ring.pids), signal.SIGKILL)
            next(ring.updates)
            ring.refill(world)
            next(ring.updates)
        return [event["seconds"] for event in ring.named("worker_joined")]


if __name__ == "__main__":
    main()
