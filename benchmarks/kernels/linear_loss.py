"""The fused loss of a head of 49,152 tokens against the loss over whole logits.

    python -m benchmarks.kernels.linear_loss [--tokens 2048] [--width 576] [--rounds 3]

Forward and backward, in turns. Memory is the peak of what a fresh process holds beyond the inputs
and their gradients.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from benchmarks.kernels.interleaved import median_seconds
from raylm_kernels import linear_cross_entropy_sum

VOCABULARY = 49152
TIME_BAR, MEMORY_BAR = 1.1, 1 / 8


def inputs(tokens: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    hidden = torch.randn(tokens, width, requires_grad=True)
    weight = (torch.randn(VOCABULARY, width) * 0.02).requires_grad_()
    return hidden, weight, torch.randint(VOCABULARY, (tokens,))


def fused(hidden: Tensor, weight: Tensor, targets: Tensor) -> None:
    weights = torch.full((len(hidden),), 1 / len(hidden))
    linear_cross_entropy_sum(hidden, weight, targets, weights).backward()


def whole(hidden: Tensor, weight: Tensor, targets: Tensor) -> None:
    cross_entropy(linear(hidden, weight), targets).backward()


LOSSES = {"fused": fused, "whole": whole}


def peak_bytes(name: str, tokens: int, width: int) -> int:
    """Beyond inputs and gradients, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.kernels.linear_loss", "--only", name]
    sizes = ["--tokens", str(tokens), "--width", str(width)]
    return int(
        subprocess.run([*command, *sizes], capture_output=True, text=True, check=True).stdout
    )


def print_peak(name: str, tokens: int, width: int) -> None:
    hidden, weight, targets = inputs(tokens, width)
    LOSSES[name](*inputs(8, width))  # what a first call loads
    before = status_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew
    LOSSES[name](hidden, weight, targets)
    print(status_bytes("VmHWM") - before - hidden.nbytes - weight.nbytes)


def status_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    [line] = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--width", type=int, default=576)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=LOSSES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.manual_seed(0)
    if options.only:
        print_peak(options.only, options.tokens, options.width)
        return
    arguments = inputs(options.tokens, options.width)

    def run(name: str) -> None:
        arguments[0].grad = arguments[1].grad = None
        LOSSES[name](*arguments)

    calls = {name: partial(run, name) for name in LOSSES}
    seconds = median_seconds(calls, options.rounds)
    logits = options.tokens * VOCABULARY * 4
    ratio = seconds["fused"] / seconds["whole"]
    print(
        f"time: {seconds['fused']:.2f} s, {ratio:.2f} of the loss over whole logits; "
        f"bar {TIME_BAR}: {'met' if ratio <= TIME_BAR else 'missed'}"
    )
    for name in LOSSES:
        share = peak_bytes(name, options.tokens, options.width) / logits
        verdict = f"; bar 0.125: {'met' if share <= MEMORY_BAR else 'missed'}"
        print(f"memory of {name}: {share:.3f} of the logits{verdict if name == 'fused' else ''}")


if __name__ == "__main__":
    main()
