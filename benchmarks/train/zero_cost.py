"""CPU seconds that a step of ZeRO costs beside the same step of one process.

    python -m benchmarks.train.zero_cost [--stages 0 1 2 3] [--rounds 12]

Two ranks hold the 24.0M-parameter Llama twice, plain and sharded. In every round rank 0 makes a
plain step alone, both make one at the same time without a word to each other, and both make one
of the engine, in an order that alternates: this machine's drift, some per cent in a minute, is
the same for steps that follow each other. A figure is the median of the rounds' ratios, with the
quartiles.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist

import raylm
from benchmarks.train.llama import Llama, random_batch
from benchmarks.train.world import run_world

BARS = {0: 1.04, 1: 1.04, 2: 1.04, 3: 1.06}
BATCH, SEQUENCE, WARMUP = 4, 256, 3
LR = 1e-4

Step = Callable[[torch.Tensor, torch.Tensor], None]


def plain_step() -> Step:
    model = Llama()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, fused=True)

    def step(tokens: torch.Tensor, targets: torch.Tensor) -> None:
        model(tokens, targets).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def engine_step(stage: int) -> Step:
    config = {
        "batch": {"micro": BATCH},
        "precision": "fp32",
        "gradient_clipping": None,
        "optimizer": {"name": "adamw", "lr": LR},
        "zero": {"stage": stage},
    }
    engine = raylm.initialize(Llama(), config)

    def step(tokens: torch.Tensor, targets: torch.Tensor) -> None:
        engine.backward(engine(tokens, targets))
        engine.step()

    return step


def measure(rank: int, stage: int, rounds: int) -> list[tuple[float, float, float]]:
    """By round, this rank's CPU seconds of a step alone, beside another process, and sharded."""
    plain, sharded = plain_step(), engine_step(stage)
    found = []
    for number in range(WARMUP + rounds):
        batch = random_batch(0, number, rank, batch=BATCH, sequence=SEQUENCE)
        kinds = [("alone", plain), ("beside", plain), ("sharded", sharded)]
        seconds = {}
        for kind, step in kinds if number % 2 else reversed(kinds):
            dist.barrier()
            began = time.process_time()
            if kind != "alone" or rank == 0:
                step(*batch)
            seconds[kind] = time.process_time() - began
        if number >= WARMUP:
            found.append((seconds["alone"], seconds["beside"], seconds["sharded"]))
    return found


def spread(ratios: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stages", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--rounds", type=int, default=12)
    args, _ = parser.parse_known_args()
    for stage in args.stages:
        rounds = run_world(2, measure, stage, args.rounds)[0]
        to_alone = [sharded / alone for alone, _, sharded in rounds]
        to_beside = [sharded / beside for _, beside, sharded in rounds]
        verdict = "pass" if statistics.median(to_alone) <= BARS[stage] else "miss"
        print(
            f"stage {stage}: {spread(to_alone)} x one process ({verdict}; the bar is "
            f"{BARS[stage]}); {spread(to_beside)} x two that do not communicate",
            flush=True,
        )


if __name__ == "__main__":
    main()
