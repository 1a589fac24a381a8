"""Memory-bound training ops against the rate at which torch copies.

    python -m benchmarks.kernels.training [--mib 128] [--rounds 9]

An op's rate counts what it must read and write once. The copy is of one tensor of the same size, in
turns with the op and with PyTorch's own.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.kernels.interleaved import Result, median_seconds, print_fractions
from benchmarks.kernels.memory import keep_freed
from raylm_kernels import catalog
from raylm_kernels.cpu.build import best_isa

BAR = 0.80
WIDTH, VOCABULARY = 2048, 49152


@dataclass(frozen=True, slots=True)
class Case:
    """`passes`: how many times as many bytes as one tensor has are read or written."""

    op: str
    passes: float
    arguments: tuple[object, ...]


def cases(count: int) -> list[Case]:
    x, y, z, g = (torch.randn(count // WIDTH, WIDTH) for _ in range(4))
    weight = torch.randn(WIDTH)
    logits = torch.randn(count // VOCABULARY, VOCABULARY)
    targets = torch.randint(VOCABULARY, (len(logits),))
    flat = [t.view(-1) for t in (x, y, z, g.square())]
    return [
        Case("rms_norm", 2, (x, weight, 1e-6)),
        Case("rms_norm_backward", 3, ([g], x, weight, 1e-6)),
        Case("add_rms_norm", 4, (x, y, weight, 1e-6)),
        Case("swiglu", 3, (x, y)),
        Case("swiglu_backward", 5, ([g], x, y)),
        Case("cross_entropy", 1, (logits, targets)),
        Case("cross_entropy_backward", 2, ([torch.ones(len(logits))], logits, targets)),
        Case("adamw_step", 7, (*flat, 3, 1e-3, 0.9, 0.999, 1e-8, 0.1)),
        Case("lion_step", 5, (*flat[:3], 1e-3, 0.9, 0.99, 0.1)),
        Case("squared_norm", 1, ([x],)),
        Case("unscale_and_clip", 2, ([x], torch.tensor(1.0), 1.0, 1e9)),
    ]


def measure(case: Case, rounds: int) -> Result:
    implementations = catalog.registry.entry(case.op).implementations
    largest = max(t.nbytes for t in tensors_of(case.arguments))
    source = torch.ones(largest // 4)
    target = torch.empty_like(source)
    calls: dict[str, Callable[[], object]] = {
        name: lambda one=one: one.function(*case.arguments) for name, one in implementations.items()
    }
    seconds = median_seconds({**calls, "copy": lambda: target.copy_(source)}, rounds)
    ours = seconds.get("compiled", seconds["torch"])
    return Result(
        case.op,
        case.passes * largest / ours / 1e9,
        "GB/s",
        2 * largest / seconds["copy"] / 1e9,
        BAR,
        {"torch": seconds["torch"] / ours},
    )


def tensors_of(arguments: tuple[object, ...]) -> list[Tensor]:
    flat = [item for arg in arguments for item in (arg if isinstance(arg, list) else [arg])]
    return [item for item in flat if isinstance(item, Tensor)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=128, help="of each tensor")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    keep_freed()
    results = [measure(case, options.rounds) for case in cases(options.mib * 2**18)]
    title = f"memory-bound training ops, {torch.get_num_threads()} threads, {best_isa()}"
    print_fractions(title, "copy", results)


if __name__ == "__main__":
    main()
