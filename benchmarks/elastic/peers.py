"""The same kills under RayLM, torchrun, Ray Train and torchft: 24M parameters, three workers.

    python -m benchmarks.elastic.peers [--kills 5] [--only raylm torchrun ray_train torchft]

A random worker is killed some steps after a checkpoint (RayLM and torchft need none). A figure is
the time from the SIGKILL to the first step that had not been done before.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.elastic.arena import arena
from benchmarks.elastic.replica_cost import MODEL
from benchmarks.elastic.replicated import BATCH, SAVE_EVERY, SEQUENCE
from benchmarks.train.ranks import ROOT, peers_python
from raylm.runtime.session import ray_session

WORKERS, ENDLESS = 3, 10**6
START_LIMIT_S, RECOVERY_LIMIT_S = 180.0, 120.0
COMMANDS: Mapping[str, Sequence[str]] = {
    "torchrun": (
        *("torch.distributed.run", "--nnodes", "1:1", "--nproc-per-node", str(WORKERS)),
        *("--max-restarts", "1000", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
        *("-m", "benchmarks.elastic.replicated"),
    ),
    "ray_train": ("benchmarks.elastic.ray_train",),
    "torchft": ("benchmarks.elastic.torchft_replica",),
}


@dataclass(frozen=True, slots=True)
class Loss:
    """What one kill has cost. `steps_redone`: of those that had been finished."""

    seconds: float
    steps_redone: int


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=["raylm", *COMMANDS])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    for name in options.only:
        chance = random.Random(options.seed)
        try:
            losses = (
                raylm(options.kills, chance) if name == "raylm" else peer(name, options, chance)
            )
        except TimeoutError as error:
            print(f"{name}: {error}", flush=True)
            continue
        seconds, redone = [x.seconds for x in losses], [x.steps_redone for x in losses]
        print(
            f"{name}: {len(losses)} kills, first new step after {statistics.median(seconds):.2f} s "
            f"(longest {max(seconds):.2f} s), {min(redone)} to {max(redone)} steps done again",
            flush=True,
        )


def raylm(kills: int, chance: random.Random) -> list[Loss]:
    changes = MODEL | {
        "data__sequence_length": SEQUENCE,
        "batch__global": BATCH * WORKERS,
        "batch__micro": BATCH,
    }
    losses = []
    with ray_session(cpus=WORKERS + 1), arena(WORKERS, ENDLESS, zero__stage=2, **changes) as ring:
        for _ in range(kills):
            ring.refill(WORKERS)
            for _ in range(chance.randint(2, 9)):
                next(ring.updates)
            killed_at = time.time()
            os.kill(chance.choice(ring.pids), signal.SIGKILL)
            next(ring.updates)
            seconds = time.time() - killed_at
            begun_again = ring.named("recovered")[-1]["steps_redone"]
            losses.append(Loss(seconds, max(0, begun_again - 1)))  # one had not been finished
    return losses


def peer(name: str, options: argparse.Namespace, chance: random.Random) -> list[Loss]:
    losses = []
    with running(name) as folder:
        _wait(lambda: last_steps(folder), START_LIMIT_S, f"no step within {START_LIMIT_S:g} s")
        for _ in range(options.kills):
            offset, before = chance.randint(2, 9), newest(folder)
            wanted = (before // SAVE_EVERY + 2) * SAVE_EVERY + offset
            _wait(
                lambda step=wanted: newest(folder) >= step and len(fresh(folder)) == WORKERS,
                START_LIMIT_S,
                f"did not reach step {wanted} on {WORKERS} workers again",
            )
            victim = chance.choice(fresh(folder))
            done, killed_at = newest(folder), time.time()
            os.kill(victim, signal.SIGKILL)
            _wait(
                lambda step=done, t=killed_at: first_after(folder, step, t) is not None,
                RECOVERY_LIMIT_S,
                f"no new step within {RECOVERY_LIMIT_S:g} s of a kill",
            )
            again = sum(
                1 for row in rows(folder, 0) if row["t"] > killed_at and row["step"] <= done
            )
            reached = first_after(folder, done, killed_at)
            assert reached is not None
            losses.append(Loss(reached - killed_at, again))
    return losses


@contextmanager
def running(name: str) -> Iterator[Path]:
    with TemporaryDirectory() as folder, (Path(folder) / "output").open("wb") as output:
        process = subprocess.Popen(
            [str(peers_python() or sys.executable), "-m", *COMMANDS[name]],
            cwd=ROOT,
            env=os.environ
            | {
                "RAYLM_BENCH_FOLDER": folder,
                "RAYLM_BENCH_STEPS": str(ENDLESS),
                "RAYLM_BENCH_WORKERS": str(WORKERS),
                "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",  # else stale addresses, for ever
                "RAY_AUTH_MODE": "disabled",
                "OMP_NUM_THREADS": "1",
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield Path(folder)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def rows(folder: Path, rank: int) -> list[dict[str, float]]:
    path = folder / f"log-{rank}.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def last_steps(folder: Path) -> list[dict[str, float]]:
    """The newest row of each rank."""
    return [found[-1] for rank in range(WORKERS) if (found := rows(folder, rank))]


def newest(folder: Path) -> int:
    return int(max(row["step"] for row in last_steps(folder)))


def fresh(folder: Path) -> list[int]:
    """The pids of those that have made a step lately."""
    now = time.time()
    return [int(row["pid"]) for row in last_steps(folder) if now - row["t"] < 3.0]


def first_after(folder: Path, step: int, moment: float) -> float | None:
    """When the first step later than `step` was done."""
    times = [
        row["t"]
        for rank in range(WORKERS)
        for row in rows(folder, rank)
        if row["step"] > step and row["t"] > moment
    ]
    return min(times, default=None)


def _wait(condition: Callable[[], bool], limit_s: float, message: str) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(message)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
