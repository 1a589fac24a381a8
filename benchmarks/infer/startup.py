"""From a process's start to its first token, without Ray, and the memory that takes.

    python -m benchmarks.infer.startup [--model smollm2] [--quantization int4] [--rounds 5]

First starts, which read, quantise and pack a model's weights, take turns with second ones, which
find them packed, and with processes that import torch and do nothing else. The kernels are compiled
before. Bars: a second start is ready within 3 s, and the most memory it ever has is weights + pool
of the KV cache + 400 MB. Little of the pool is touched by one token: `beside` is the peak without
the weights alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from raylm_kernels.cpu import build
from raylm_kernels.cpu.packed_folder import PackedFolder
from raylm_kernels.custom import cache_dir

READY_BAR_S, BESIDE_BAR_MB = 3.0, 400

IMPORT = """
import time
import torch
ready, weights_mb, pool_mb = time.monotonic(), 0, 0
"""
START = """
import sys, time
import raylm
llm = raylm.LLM(sys.argv[1], quantization=sys.argv[2], threads=1)
llm.generate("Hello", raylm.SamplingParams(max_tokens=1, temperature=0))
ready = time.monotonic()
runner = llm._engine._runner.runner  # the packed one, behind what takes over if it fails
tokens = runner.num_blocks * runner.block_size
weights_mb = runner._decoder.weight_bytes / 1e6
pool_mb = tokens * runner._decoder.dims.cache_bytes(16) / 1e6
"""
REPORT = """
import json, os
from pathlib import Path
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "ready": ready,
    "cpu_s": sum(os.times()[:2]),
    "peak_mb": int(status["VmHWM"].split()[0]) * 1024 / 1e6,
    "resident_mb": int(status["VmRSS"].split()[0]) * 1024 / 1e6,
    "weights_mb": weights_mb,
    "pool_mb": pool_mb,
}))
"""
TORCH, FIRST, SECOND = "torch alone", "first start", "second start"

Start = dict[str, float]


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.startup")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--quantization", default="int4", choices=("int4", "int8"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    works, reason = build.available()
    if not works:
        sys.exit(f"needs the CPU kernels: {reason}")
    starts: dict[str, list[Start]] = {TORCH: [], FIRST: [], SECOND: []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "kernels").symlink_to(cache_dir())
        for _ in range(options.rounds):
            for path in PackedFolder(root / "packed").sizes():
                path.unlink()
            for name, found in starts.items():
                script = IMPORT if name == TORCH else START
                found.append(_run(script, root, options.model, options.quantization))
    _print(options, starts)


def _run(script: str, cache: Path, model: str, quantization: str) -> Start:
    environment = os.environ | {"RAYLM_CACHE_DIR": str(cache)}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script + REPORT, model, quantization],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    found: Start = json.loads(done.stdout)
    return found | {"seconds": found["ready"] - began}


def _print(options: argparse.Namespace, starts: dict[str, list[Start]]) -> None:
    print(f"{options.model}, {options.quantization}, one thread; medians of {options.rounds}")
    print(f"{'':14}{'s':>7}{'fastest':>9}{'CPU s':>7}{'peak MB':>9}{'resident':>10}{'beside':>8}")
    for name, found in starts.items():
        peak, resident = _median(found, "peak_mb"), _median(found, "resident_mb")
        beside = peak - _median(found, "weights_mb")
        fastest = min(one["seconds"] for one in found)
        print(
            f"{name:14}{_median(found, 'seconds'):>7.2f}{fastest:>9.2f}"
            f"{_median(found, 'cpu_s'):>7.2f}{peak:>9.0f}{resident:>10.0f}{beside:>8.0f}"
        )
    second = starts[SECOND]
    weights, pool = _median(second, "weights_mb"), _median(second, "pool_mb")
    ready, peak = _median(second, "seconds"), _median(second, "peak_mb")
    print(f"weights {weights:.0f} MB, pool {pool:.0f} MB")
    print(f"second start {ready:.2f} s, bar {READY_BAR_S}: {_verdict(ready <= READY_BAR_S)}")
    bar = weights + pool + BESIDE_BAR_MB
    print(f"its peak {peak:.0f} MB, bar {bar:.0f}: {_verdict(peak <= bar)}")


def _median(found: Sequence[Start], key: str) -> float:
    return statistics.median(one[key] for one in found)


def _verdict(met: bool) -> str:
    return "met" if met else "missed"


if __name__ == "__main__":
    main(sys.argv[1:])
