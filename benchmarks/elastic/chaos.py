"""One long run in which workers are killed, stopped, let go and let in at random moments.

    python -m benchmarks.elastic.chaos [--events 200] [--workers 3] [--stage 3] [--seed 0]

It has to finish, with every sample used once, no process left over and no shared memory left
behind; its losses drift from the undisturbed run's no more than other sums in another order do.
"""

import argparse
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.elastic.arena import Arena, arena
from raylm.runtime.session import ray_session
from raylm.train.update import Update

HEARTBEAT_S = 1.0
KINDS = ("kill", "kill", "kill", "stop", "resize", "resize", "leave")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`difference`: the largest of a loss from the undisturbed run. `left`: processes; `shared`:
    their names in /dev/shm."""

    happened: Counter[str]
    joins: int
    updates: list[Update]
    difference: float
    left: list[int]
    shared: list[Path]

    @property
    def is_exact(self) -> bool:
        """No step and no sample was lost or done twice."""
        return all(
            after.step == before.step + 1
            and after.sample_index_first == before.sample_index_last + 1
            for before, after in pairwise(self.updates)
        )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--stage", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with ray_session(cpus=options.workers + 3):
        outcome = chaos(options.events, options.workers, options.stage, options.seed)
    happened, steps = outcome.happened, len(outcome.updates)
    print(f"{happened.total()} events ({dict(happened)}), {outcome.joins} joins, {steps} steps")
    print(f"every step and every sample once: {'yes' if outcome.is_exact else 'NO'}")
    print(f"largest difference of a loss from the undisturbed run: {outcome.difference:.1e}")
    print(f"left over: {len(outcome.left)} processes, {len(outcome.shared)} shared memory files")


def chaos(events: int, workers: int, stage: int, seed: int) -> Outcome:
    shared_before = _shared()
    chance, happened, seen = random.Random(seed), Counter[str](), set[int]()
    with arena(
        workers,
        10**6,
        zero__stage=stage,
        elastic__max=workers + 2,
        elastic__heartbeat_s=HEARTBEAT_S,
    ) as ring:
        updates = _disturb(ring, events, workers + 2, chance, happened, seen)
        joins = len(ring.named("worker_joined"))
    undisturbed = _undisturbed(len(updates), stage)
    _wait_for_deaths(seen)
    return Outcome(
        happened,
        joins,
        updates,
        max(abs(a.loss - b.loss) for a, b in zip(updates, undisturbed, strict=True)),
        [pid for pid in seen if _is_alive(pid)],
        [path for path in _shared() - shared_before if _is_named_for(path, seen)],
    )


def _shared() -> set[Path]:
    return set(Path("/dev/shm").iterdir())


def _is_named_for(path: Path, pids: set[int]) -> bool:
    """Other programs write there, too."""
    return any(word in path.name for word in ("raylm", *map(str, pids)))


def _disturb(
    ring: Arena,
    events: int,
    largest: int,
    chance: random.Random,
    happened: Counter[str],
    seen: set[int],
) -> list[Update]:
    """`seen`: the pids of all who have worked."""
    updates: list[Update] = []
    hurt = set[int]()
    while happened.total() < events:
        for _ in range(chance.randint(1, 4)):
            updates.append(next(ring.updates))
            seen.update(ring.pids)
        well = [pid for pid in ring.pids if pid not in hurt]
        kind = chance.choice(KINDS)
        if kind == "resize":
            ring.group.resize(chance.randint(2, largest), wait=False)
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
    return updates


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


if __name__ == "__main__":
    main()
