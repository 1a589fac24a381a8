"""What a checkpoint costs: the loop's pause beside a plain copy, and memory while loading.

python -m benchmarks.train.zero_checkpoint [--world 2] [--rounds 5]
"""

import argparse
import re
import statistics
import tempfile
import time
from pathlib import Path

import torch.distributed as dist

import raylm
from benchmarks.train.llama import Llama, random_batch
from benchmarks.train.world import run_world
from raylm.parallel.zero import state
from raylm.train.engine import Engine

PAUSE_BAR, MEMORY_BAR = 1.2, 1.1


def _engine() -> Engine:
    config = {"batch": {"micro": 1}, "precision": "fp32", "zero": {"stage": 3}}
    return raylm.initialize(Llama(), config)


def pause(rank: int, folder: str, rounds: int) -> tuple[float, float]:
    """Median seconds of a plain copy of the shard, and of `save_checkpoint(wait=False)`."""
    engine = _engine()
    tokens, targets = random_batch(0, 0, rank, batch=1, sequence=64)
    engine.backward(engine(tokens, targets))
    engine.step()
    copies, pauses = [], []
    for number in range(rounds + 1):
        parts = (
            *state.parameter_parts(engine.sharding, engine.optimizer),
            *state.optimizer_parts(engine.sharding, engine.optimizer),
        )
        dist.barrier()
        began = time.perf_counter()
        copied = [part.values.detach().clone() for part in parts]
        between = time.perf_counter()
        del copied
        dist.barrier()  # or the pause would have the others' copying in it
        started = time.perf_counter()
        engine.save_checkpoint(folder, f"round-{number}", wait=False)
        pauses.append(time.perf_counter() - started)
        copies.append(between - began)
        engine.finish_saving()
    engine.close()
    return statistics.median(copies[1:]), statistics.median(pauses[1:])


def loading(rank: int, folder: str) -> tuple[int, int, int]:
    """Bytes of the shard, of the largest unit, and of anonymous memory that loading added."""
    engine = _engine()
    before = _anonymous_bytes()
    engine.load_checkpoint(folder)
    grown = _anonymous_bytes() - before
    shard = sum(flat.shard.nbytes for flat in engine.sharding.flats) * 2  # its moments are new
    largest = max(flat.full_bytes for flat in engine.sharding.flats)
    engine.close()
    return shard, largest, grown


def _anonymous_bytes() -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--world", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        copy_s, pause_s = run_world(args.world, pause, folder, args.rounds)[0]
        ratio = pause_s / copy_s
        verdict = "pass" if ratio <= PAUSE_BAR else "miss"
        print(
            f"pause {pause_s * 1e3:.1f} ms, a copy of the shard {copy_s * 1e3:.1f} ms: "
            f"{ratio:.2f} x ({verdict}; the bar is {PAUSE_BAR})"
        )
        shard, largest, grown = run_world(args.world, loading, folder)[0]
        limit = MEMORY_BAR * shard + largest
        verdict = "pass" if grown <= limit else "miss"
        print(
            f"loading added {grown / 1e6:.1f} MB to a rank whose new state is {shard / 1e6:.1f} MB "
            f"({verdict}; the bar is {MEMORY_BAR} x that and one unit, {limit / 1e6:.1f} MB)"
        )


if __name__ == "__main__":
    main()
