"""Quantised products against the memory's rate and the integer units' peak.

    python -m benchmarks.kernels.linear [--rounds 9]

Matvecs stream weights that lie one after the other in one arena and are larger than the caches;
beside each, in turns, the same arena is only read, in one stream and in four, of which the faster
counts, and torch's own int4 or int8 product runs.
Batches and GEMMs are held against the peak of the integer dot product, measured from the first
cache, and torch's bf16 linear. One thread, its CPU clock.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.nn.functional import linear

from benchmarks.kernels.interleaved import Result, median_seconds, print_fractions
from raylm_kernels.cpu.build import best_isa
from raylm_kernels.cpu.linear import PackedLinear, peak_products
from raylm_kernels.quantize import quantize_weight

SHAPES = ((576, 1536), (2048, 8192), (4096, 14336))
ARENA_BYTES = 256 * 2**20
BARS = {4: 0.80, 8: 0.88}
PEER_GROUP = 32
READ_STREAMS = (1, 4)


def matvec(rows: int, width: int, bits: int, rounds: int) -> Result:
    copies = max(1, ARENA_BYTES * 8 // (rows * width * (bits + 1)))
    weight = torch.randn(rows, width) * 0.02
    quantized = quantize_weight(weight.repeat(copies, 1), bits)
    packed = PackedLinear(quantized)
    x = torch.randn(1, width)
    peers = {f"torch int{bits}": torch_product(weight, bits, copies, x)}
    reads = {f"read in {n}": partial(packed.read_weights, n) for n in READ_STREAMS}
    calls = {"ours": lambda: packed(x), **reads, **peers}
    seconds = median_seconds(calls, rounds, time.thread_time)
    size = packed.weight_bytes / 1e9
    return Result(
        f"int{bits} matvec {rows} x {width}",
        size / seconds["ours"],
        "GB/s",
        size / min(seconds[name] for name in reads),
        BARS[bits],
        {name: seconds[name] / seconds["ours"] for name in peers},
    )


def torch_product(
    weight: torch.Tensor, bits: int, copies: int, x: torch.Tensor
) -> Callable[[], None]:
    """Torch's weight-only product in bf16, once with each of `copies` weights."""
    rows, width = weight.shape
    aten, x = torch.ops.aten, x.bfloat16()
    if bits == 4:
        codes = torch.randint(16, (rows, width), dtype=torch.int32)
        packed = [aten._convert_weight_to_int4pack_for_cpu(codes, 1) for _ in range(copies)]
        scales = torch.ones(width // PEER_GROUP, rows, 2, dtype=torch.bfloat16)

        def run() -> None:
            for one in packed:
                aten._weight_int4pack_mm_for_cpu(x, one, PEER_GROUP, scales)
    else:
        codes = [torch.randint(-127, 127, (rows, width), dtype=torch.int8) for _ in range(copies)]
        scales = torch.ones(rows, dtype=torch.bfloat16)

        def run() -> None:
            for one in codes:
                aten._weight_int8pack_mm(x, one, scales)

    return run


def in_cache(rows: int, width: int, tokens: int, bits: int, bar: float, rounds: int) -> Result:
    weight = torch.randn(rows, width) * 0.02
    packed = PackedLinear(quantize_weight(weight, bits))
    x = torch.randn(tokens, width)
    half_weight, half_x = weight.bfloat16(), x.bfloat16()
    repeats = max(1, 2**31 // (rows * width * tokens) // 8)

    def ours() -> None:
        for _ in range(repeats):
            packed(x)

    def theirs() -> None:
        for _ in range(repeats):
            linear(half_x, half_weight)

    seconds = median_seconds({"ours": ours, "theirs": theirs}, rounds, time.thread_time)
    products = rows * width * tokens * repeats / 1e9
    return Result(
        f"int{bits} {tokens} x {width} by {rows}",
        products / seconds["ours"],
        "G products/s",
        peak_products(bits) / 1e9,
        bar,
        {"torch bf16": seconds["theirs"] / seconds["ours"]},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        streams = [matvec(*shape, bits, rounds) for bits in (4, 8) for shape in SHAPES]
        title = f"matvec from memory, one thread, {best_isa()}"
        print_fractions(title, "reads alone", streams)
        compute = [
            in_cache(960, 576, 8, 4, 0.90, rounds),
            in_cache(960, 576, 8, 8, 0.90, rounds),
            in_cache(1536, 576, 512, 8, 0.75, rounds),
            in_cache(1536, 576, 512, 4, 0.75, rounds),
        ]
        print_fractions(f"products in cache, one thread, {best_isa()}", "peak", compute)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    main()
