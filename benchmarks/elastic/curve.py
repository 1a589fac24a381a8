"""The loss of a run with kills and joins, against that of the undisturbed run.

    python -m benchmarks.elastic.curve [--stages 0 3] [--repeats 1]

100 steps of a model of which no gradient is analytically zero, in fp32: three workers, five of
whom get killed on the way, and others in their place.
"""

import argparse
import os
import random
import signal
from collections.abc import Sequence

from benchmarks.elastic.arena import arena
from raylm.runtime.session import ray_session
from raylm.train.update import Update

WORKERS, STEPS = 3, 100
KILLS = (10, 25, 40, 60, 80)
JOINS = (30, 70)  # by then there shall be three again
BAR = 1e-4


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 3])
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args(arguments)
    with ray_session(cpus=WORKERS + 1):
        for stage in options.stages:
            expected = undisturbed(stage)
            for seed in range(options.repeats):
                updates, joined = attacked(stage, random.Random(seed))
                difference = max(
                    abs(a.loss - b.loss) for a, b in zip(updates, expected, strict=True)
                )
                verdict = "met" if difference <= BAR else "missed"
                print(
                    f"stage {stage}: {len(KILLS)} kills, {joined} joins in {len(updates)} steps, "
                    f"largest difference of a loss {difference:.1e} (bar {BAR:.0e}): {verdict}",
                    flush=True,
                )


def undisturbed(stage: int) -> list[Update]:
    with arena(WORKERS, STEPS, zero__stage=stage) as ring:
        return list(ring.updates)


def attacked(stage: int, chance: random.Random) -> tuple[list[Update], int]:
    updates = []
    with arena(WORKERS, STEPS, zero__stage=stage) as ring:
        for update in ring.updates:
            updates.append(update)
            if update.step in JOINS:
                ring.refill(WORKERS)
            if update.step in KILLS:
                os.kill(chance.choice(ring.pids), signal.SIGKILL)
        return updates, len(ring.named("worker_joined"))


if __name__ == "__main__":
    main()
