"""Least squares on an elastic worker group: what is trained need not be a language model.

The weights and their momentum are divided among the ranks by columns. Kill any worker while it
runs, with `kill -9`; the answer is the same, and is compared with the closed form at the end.

    python apps/examples/elastic_regression.py --workers 3 --kills 2
"""

import argparse
import os
import signal

import torch
import torch.distributed as dist
from torch import Tensor

import raylm

ROWS, COLUMNS = 4096, 64
LEARNING_RATE, MOMENTUM = 0.1, 0.9


def data() -> tuple[Tensor, Tensor]:
    """Inputs (ROWS, COLUMNS) and targets, the same for whoever asks."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(ROWS, COLUMNS, generator=generator, dtype=torch.float64)
    truth = torch.randn(COLUMNS, generator=generator, dtype=torch.float64)
    noise = 0.1 * torch.randn(ROWS, generator=generator, dtype=torch.float64)
    return inputs, inputs @ truth + noise


class Regression(raylm.Worker):
    def setup(self) -> None:
        self.inputs, self.targets = data()
        self.first = COLUMNS * self.rank // self.world_size
        last = COLUMNS * (self.rank + 1) // self.world_size
        self.weights = torch.zeros(last - self.first, dtype=torch.float64)
        self.momentum = torch.zeros_like(self.weights)

    def snapshot(self) -> dict[str, tuple[int, int, Tensor]]:
        parts = {"weights": self.weights, "momentum": self.momentum}
        return {name: (self.first, COLUMNS, values) for name, values in parts.items()}

    def restore(self, snapshot: dict[str, tuple[int, int, Tensor]]) -> None:
        self.first, _, self.weights = snapshot["weights"]
        _, _, self.momentum = snapshot["momentum"]

    def step(self, indices: slice) -> float:
        own = self.inputs[indices, self.first : self.first + len(self.weights)]
        error = own @ self.weights
        dist.all_reduce(error)
        error -= self.targets[indices]
        self.momentum.mul_(MOMENTUM).add_(own.T @ error / len(error))
        self.weights -= LEARNING_RATE * self.momentum
        return float(error.square().mean())

    def part(self) -> Tensor:
        return self.weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--kills", type=int, default=0, help="workers to kill -9 on the way")
    options = parser.parse_args()
    kill_at = {options.steps * (n + 1) // (options.kills + 1) for n in range(options.kills)}

    def show(event: str, **fields: object) -> None:
        print(event, *(f"{name}={value}" for name, value in fields.items() if name != "workers"))

    elastic = raylm.Elastic(min=1)
    with raylm.WorkerGroup(Regression, options.workers, elastic=elastic, on_event=show) as group:
        for step in range(options.steps):
            if step in kill_at:
                os.kill(group.members[-1].pid, signal.SIGKILL)
            loss = group.step(slice(ROWS))[0]  # all rows: any other choice of them would do
            if step % 100 == 0:
                print(f"step {step}: mean squared error {loss:.4f} on {group.size} workers")
        found = torch.cat(group.call("part"))
    inputs, targets = data()
    exact = torch.linalg.lstsq(inputs, targets[:, None]).solution[:, 0]
    print(f"largest distance from the closed form: {(found - exact).abs().max():.1e}")


if __name__ == "__main__":
    main()
