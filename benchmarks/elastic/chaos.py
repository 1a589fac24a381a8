"""One long run in which workers are killed, stopped, let go and let in at random moments.

    python -m benchmarks.elastic.chaos [--events 200] [--workers 3] [--stage 3] [--seed 0]

It has to finish, with every sample used once, the loss of an undisturbed run at every step, no
process left over and no shared memory left behind.
"""

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from benchmarks.elastic.arena import Arena, arena
from raylm.runtime.session import ray_session
from raylm.train.update import Update

LARGEST_DIFFERENCE = 1e-4
HEARTBEAT_S = 1.0
KINDS = ("kill", "kill", "kill", "stop", "resize", "resize", "leave")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--stage", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    shared_before = set(Path("/dev/shm").iterdir())
    chance, happened, seen = random.Random(options.seed), Counter[str](), set[int]()
    with ray_session(cpus=options.workers + 3):
        with arena(
            options.workers,
            10**6,
            zero__stage=options.stage,
            elastic__max=options.workers + 2,
            elastic__heartbeat_s=HEARTBEAT_S,
        ) as ring:
            updates, joined = _disturb(ring, options, chance, happened, seen)
        undisturbed = _undisturbed(len(updates), options.stage)
    _wait_for_deaths(seen)
    difference = max(abs(a.loss - b.loss) for a, b in zip(updates, undisturbed, strict=True))
    for before, after in pairwise(updates):
        assert after.step == before.step + 1, "a step was lost or repeated"
        assert after.sample_index_first == before.sample_index_last + 1, "samples were lost"
    print(f"{happened.total()} events ({dict(happened)}), {joined} joins, {len(updates)} steps")
    print(f"largest difference of a loss from the undisturbed run: {difference:.1e}", end="")
    print(f" (bar {LARGEST_DIFFERENCE:.0e}): {_verdict(difference <= LARGEST_DIFFERENCE)}")
    left = [pid for pid in seen if _is_alive(pid)]
    shared = [name for name in Path("/dev/shm").iterdir() if name not in shared_before]
    print(f"processes left over: {len(left)}; shared memory left behind: {len(shared)}")


def _disturb(
    ring: Arena,
    options: argparse.Namespace,
    chance: random.Random,
    happened: Counter[str],
    seen: set[int],
) -> tuple[list[Update], int]:
    updates: list[Update] = []
    hurt = set[int]()
    while happened.total() < options.events:
        for _ in range(chance.randint(1, 4)):
            updates.append(next(ring.updates))
            seen.update(ring.pids)
        well = [pid for pid in ring.pids if pid not in hurt]
        kind = chance.choice(KINDS)
        if kind == "resize":
            ring.group.resize(chance.randint(2, options.workers + 2), wait=False)
        elif len(well) > 1:
            victim = chance.choice(well)
            hurt.add(victim)
            number = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "leave": signal.SIGTERM}[kind]
            threading.Timer(chance.random() * 0.1, _signal, (victim, number)).start()
        else:
            time.sleep(0.5)  # the others have their Python to start
            continue
        happened[kind] += 1
    time.sleep(0.2)
    updates.append(next(ring.updates))
    seen.update(ring.pids)
    return updates, len(ring.named("worker_joined"))


def _undisturbed(steps: int, stage: int) -> list[Update]:
    with arena(2, steps, zero__stage=stage) as ring:
        return list(ring.updates)


def _signal(pid: int, number: int) -> None:
    if _is_alive(pid):
        os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _wait_for_deaths(pids: set[int]) -> None:
    deadline = time.monotonic() + 10
    while any(map(_is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "missed"


if __name__ == "__main__":
    main()
