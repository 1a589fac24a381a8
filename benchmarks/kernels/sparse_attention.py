"""Block-sparse attention: time against the share of blocks that is kept, and against torch's own.

    python -m benchmarks.kernels.sparse_attention [--rounds 7]

Eight heads of 64, blocks of 64, causal. A density keeps that share of the blocks that causality
leaves; the time a block that is kept takes is compared with that of the dense mask, whose time is
compared with torch's scaled_dot_product_attention.
"""

import argparse
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.kernels.interleaved import median_seconds
from benchmarks.kernels.memory import keep_freed
from raylm_kernels import block_sparse_attention
from raylm_kernels.cpu.build import best_isa

HEADS, HEAD_DIM, BLOCK = 8, 64, 64
LENGTHS, DENSITIES = (512, 1024, 2048, 4096), (0.5, 0.25, 0.125)
SPREAD, DENSE_BAR = 0.15, 0.9


def mask(length: int, density: float) -> Tensor:
    """Each row of blocks keeps `density` of what causality leaves, the diagonal among it, spread
    evenly."""
    blocks = length // BLOCK
    kept = torch.zeros(1, blocks, blocks, dtype=torch.bool)
    for row in range(blocks):
        count = max(1, round((row + 1) * density))
        kept[0, row, torch.linspace(0, row, count).round().long() if count > 1 else row] = True
    return kept


def measure(length: int, rounds: int, table: Table, *, backward: bool) -> None:
    q, k, v = (torch.randn(1, length, HEADS, HEAD_DIM, requires_grad=backward) for _ in "qkv")
    gradient = torch.randn_like(q)

    def run(function: Callable[[], Tensor]) -> None:
        out = function()
        if backward:
            out.backward(gradient)

    def sparse(kept: Tensor) -> Tensor:
        out: Tensor = block_sparse_attention(q, k, v, kept, BLOCK)[0]
        return out

    masks = {density: mask(length, density) for density in (1.0, *DENSITIES)}
    calls = {
        str(density): lambda kept=kept: run(lambda: sparse(kept)) for density, kept in masks.items()
    }
    calls["sdpa"] = lambda: run(
        lambda: scaled_dot_product_attention(
            *(t.transpose(1, 2) for t in (q, k, v)), is_causal=True
        ).transpose(1, 2)
    )
    seconds = median_seconds(calls, rounds)
    dense = seconds["1.0"] / int(masks[1.0].sum())
    ratios = [seconds[str(d)] / int(masks[d].sum()) / dense for d in DENSITIES]
    against = seconds["sdpa"] / seconds["1.0"]
    is_met = max(ratios) <= 1 + SPREAD and against >= DENSE_BAR
    table.add_row(
        f"{length}{' with gradients' if backward else ''}",
        f"{seconds['1.0'] * 1e3:.1f} ms",
        f"{against:.2f}",
        *(f"{ratio:.2f}" for ratio in ratios),
        "met" if is_met else "missed",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    keep_freed()
    heads = [f"time a block at {density}" for density in DENSITIES]
    title = f"block-sparse attention, {torch.get_num_threads()} threads, {best_isa()}"
    table = Table("tokens", "dense", "of SDPA's speed", *heads, "", title=title)
    for backward in (False, True):
        for length in LENGTHS:
            measure(length, rounds, table, backward=backward)
    Console().print(table)


if __name__ == "__main__":
    main()
