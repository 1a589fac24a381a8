"""How long candidates take: interleaved, so that a machine that slows down slows all of them."""

import time
from collections.abc import Callable, Mapping

import torch

ROUNDS = 7
BUDGET_S = 0.3  # of the rounds after the first, for all candidates together
_HEAD_START = 1_000_000  # cycles, half a millisecond


def best_seconds(
    candidates: Mapping[str, Callable[[], object]], device: torch.device
) -> dict[str, float]:
    """The least time of each over some rounds: CPU seconds of the caller's wall, or CUDA events."""
    measure = _on_cuda if device.type == "cuda" else _on_cpu
    best = {name: float("inf") for name in candidates}
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for name, call in candidates.items():
            best[name] = min(best[name], measure(call))
        if time.perf_counter() - began > BUDGET_S:
            break
    return best


def _on_cpu(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _on_cuda(call: Callable[[], object]) -> float:
    """Of the device alone, which is kept busy until all is launched: what the host needs for that
    is hidden in a run, too, by work that is queued or by a recorded graph."""
    begin, end = (_event() for _ in range(2))
    torch.cuda._sleep(_HEAD_START)  # type: ignore[no-untyped-call]
    begin.record()
    call()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
