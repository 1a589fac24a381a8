"""Launches and bytes of a transformer block before and after `raylm_kernels.fuse`.

    python -m benchmarks.kernels.fusion

One forward pass of one sequence, as the operators under autograd count it, in fp32. On a GPU in
bf16, and then also the kernels that torch's profiler counts and the times of a pass, in eager mode
and as a CUDA graph.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import raylm_kernels as rk
from benchmarks.kernels.blocks import BUILDERS, Example, Sizes
from benchmarks.kernels.interleaved import median_seconds

SIZES = {
    "Llama": Sizes(hidden=2048, inner=8192, heads=32, kv_heads=8),
    "GPT-2": Sizes(hidden=768, inner=3072, heads=12, kv_heads=12),
    "BERT": Sizes(hidden=768, inner=3072, heads=12, kv_heads=12),
    "Qwen3-MoE": Sizes(hidden=2048, inner=768, heads=32, kv_heads=4, experts=16, active=4),
}
HEADER = ("block", "ops put in", "launches", "after", "", "MB moved", "after", "")
GPU_HEADER = ("block", "kernels", "after", "", "us, eager", "after", "", "us, graph", "after", "")
_REPEATS = 30


@dataclass(frozen=True)
class Pair:
    name: str
    example: Example
    fused: nn.Module

    def calls(self) -> dict[str, Callable[[], Any]]:
        modules = {"before": self.example.block, "after": self.fused}
        return {k: lambda m=m: m(*self.example.arguments) for k, m in modules.items()}


def pairs(device: str) -> list[Pair]:
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    examples = {n: BUILDERS[n](SIZES[n]).to(device, dtype) for n in BUILDERS}
    return [Pair(n, e, rk.fuse(e.block, e.arguments)) for n, e in examples.items()]


def counted(pair: Pair) -> tuple[str, ...]:
    report: Any = pair.fused.report
    before, after = report.before, report.after
    ops = ", ".join(f"{n} x {c}" if c > 1 else n for n, c in sorted(report.counts().items()))
    moved = [f"{one.moved_bytes / 1e6:.1f}" for one in (before, after)]
    return (
        pair.name,
        ops,
        *_change(before.launches, after.launches),
        *moved,
        _saved(before.moved_bytes, after.moved_bytes),
    )


def measured(pair: Pair) -> tuple[str, ...]:
    with torch.no_grad():
        kernels = [_kernels(call) for call in pair.calls().values()]
        eager = _microseconds(pair.calls())
        graphs = _microseconds({name: _recorded(call) for name, call in pair.calls().items()})
    times = [
        (f"{one['before']:.0f}", f"{one['after']:.0f}", _ratio(one)) for one in (eager, graphs)
    ]
    return pair.name, *_change(*kernels), *times[0], *times[1]


def _kernels(call: Callable[[], Any]) -> int:
    call()
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        call()
        torch.cuda.synchronize()
    on_device = torch.autograd.DeviceType.CUDA
    return sum(one.device_type == on_device for one in profile.events())


def _microseconds(calls: dict[str, Callable[[], Any]]) -> dict[str, float]:
    def repeated(call: Callable[[], Any]) -> None:
        for _ in range(_REPEATS):
            call()
        torch.cuda.synchronize()

    turns = {name: lambda call=call: repeated(call) for name, call in calls.items()}
    return {name: s / _REPEATS * 1e6 for name, s in median_seconds(turns, 9).items()}


def _recorded(call: Callable[[], Any]) -> Callable[[], Any]:
    call()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _change(before: int, after: int) -> tuple[str, str, str]:
    return str(before), str(after), _saved(before, after)


def _saved(before: int, after: int) -> str:
    return f"-{1 - after / before:.0%}"


def _ratio(times: dict[str, float]) -> str:
    return f"{times['before'] / times['after']:.2f}x"


def show(rows: list[tuple[str, ...]]) -> None:
    """As a table of Markdown."""
    header, *rest = rows
    for row in (header, ("---",) * len(header), *rest):
        print("| " + " | ".join(row) + " |")


def main() -> None:
    has_gpu = torch.cuda.is_available()
    found = pairs("cuda" if has_gpu else "cpu")
    show([HEADER, *map(counted, found)])
    if has_gpu:
        print(f"\n{torch.cuda.get_device_name()}:\n")
        show([GPU_HEADER, *map(measured, found)])


if __name__ == "__main__":
    main()
