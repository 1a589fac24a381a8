"""The peers' training under Ray Train, which starts the whole group again after a failure."""

import os
from pathlib import Path
from typing import Any

import ray
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from benchmarks.elastic.replicated import train


def loop(config: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    train(Path(config["folder"]), config["steps"])


if __name__ == "__main__":
    folder, workers = os.environ["RAYLM_BENCH_FOLDER"], int(os.environ["RAYLM_BENCH_WORKERS"])
    ray.init(num_cpus=workers + 1, include_dashboard=False)
    TorchTrainer(
        loop,
        train_loop_config={"folder": folder, "steps": int(os.environ["RAYLM_BENCH_STEPS"])},
        torch_config=TorchConfig(backend="gloo"),
        scaling_config=ScalingConfig(num_workers=workers),
        run_config=RunConfig(
            name="peer", storage_path=folder, failure_config=FailureConfig(max_failures=-1)
        ),
    ).fit()
