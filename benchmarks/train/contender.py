"""One rank of one mode, measured: a process of its own, in RayLM's environment or the peers'.

    python -m benchmarks.train.contender --mode ddp --world 2 --rank 0 --port 29500 --out 0.json

Run from the repository's root, once for each rank. One torch thread. The CPU clock counts all
threads of the process. Loopback bytes are the machine's: other traffic on it is counted too.
"""

import argparse
import importlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from benchmarks.train.llama import PARAMETERS, Llama, random_batch
from benchmarks.train.modes import MODES
from benchmarks.train.strategies import LIBRARIES, Strategy, build

SEED = 0
_TIMEOUT = timedelta(minutes=5)


@dataclass
class Timings:
    """One entry for each timed step; losses are this rank's own, the warm-up's among them."""

    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    loopback_bytes_per_step: float = 0.0
    counted_bytes_per_step: float | None = None


def main() -> None:
    options = _options()
    mode = MODES[options.mode]
    _prepare_environment(options)
    torch.set_num_threads(1)
    library = LIBRARIES[mode.family]
    importlib.import_module(library)
    imports_rss = _memory_bytes("VmRSS")
    if options.world > 1:  # `pair` too, for the barrier before its first timed step
        dist.init_process_group("gloo", timeout=_TIMEOUT)
    model = Llama(SEED)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    strategy = build(mode, model, batch=options.batch, precision=options.precision)
    timings = _measure(strategy, options)
    result: dict[str, Any] = {
        **{name: value for name, value in vars(options).items() if name not in ("out", "port")},
        "parameters": PARAMETERS,
        "arithmetic": strategy.arithmetic,
        "versions": {name: version(name) for name in ("torch", library.partition(".")[0])},
        **vars(timings),
        "peak_rss_bytes": _memory_bytes("VmHWM"),
        "rss_over_imports_bytes": _memory_bytes("VmHWM") - imports_rss,
        "memory": strategy.memory() if strategy.memory else None,
    }
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.train.contender", description=__doc__)
    parser.add_argument("--mode", choices=MODES, required=True)
    parser.add_argument("--world", type=int, default=1)
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--port", type=int, default=29500)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--sequence", type=int, default=256)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _prepare_environment(options: argparse.Namespace) -> None:
    """What torch.distributed and DeepSpeed read; DeepSpeed builds with the ninja beside python."""
    os.environ |= {
        "RANK": str(options.rank),
        "LOCAL_RANK": str(options.rank),
        "WORLD_SIZE": str(options.world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(options.port),
        "GLOO_SOCKET_IFNAME": "lo",
        "DS_ACCELERATOR": "cpu",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def _measure(strategy: Strategy, options: argparse.Namespace) -> Timings:
    timings = Timings()
    batches = [
        random_batch(SEED, step, options.rank, batch=options.batch, sequence=options.sequence)
        for step in range(options.warmup + options.steps)
    ]
    for tokens, targets in batches[: options.warmup]:
        timings.losses.append(strategy.step(tokens, targets).item())
    counted = strategy.bytes_sent() if strategy.bytes_sent else 0
    _barrier()
    loopback = _loopback_bytes()
    _barrier()
    for tokens, targets in batches[options.warmup :]:
        wall, cpu = time.perf_counter(), time.process_time()
        timings.losses.append(strategy.step(tokens, targets).item())
        timings.wall_s.append(time.perf_counter() - wall)
        timings.cpu_s.append(time.process_time() - cpu)
    _barrier()
    timings.loopback_bytes_per_step = (_loopback_bytes() - loopback) / options.steps
    if strategy.bytes_sent:
        timings.counted_bytes_per_step = (strategy.bytes_sent() - counted) / options.steps
    return timings


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()


def _loopback_bytes() -> int:
    """Sent over `lo` since the machine's start, by all its processes."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counters = line.partition(":")
        if name.strip() == "lo":
            return int(counters.split()[8])
    raise RuntimeError("/proc/net/dev has no interface lo")


def _memory_bytes(key: str) -> int:
    """From /proc: getrusage's peak would begin with the parent's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


if __name__ == "__main__":
    main()
