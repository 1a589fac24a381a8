"""What a step over workers costs beside its computation: one token, a model of two tiny layers.

python -m benchmarks.infer.bench_workers [--rounds 20] [--steps 20]

Contenders take turns in every round: the runner in this process; one worker; the same worker
asked by a Ray call a step instead of a socket; two workers that share each layer; two stages.
A figure is the median over all steps, in milliseconds.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from raylm.checkpoint.source import open_model_or_run
from raylm.core.schema import ServeConfig
from raylm.data.tokenizer import Tokenizer
from raylm.infer.runners.batch import Batch
from raylm.infer.runners.runner import TorchRunner, use_threads
from raylm.models.decoder import Decoder
from raylm.models.hf_weights import save_hf_folder
from raylm.models.spec import ModelSpec
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import ray_session
from raylm.serve.workers import StageWorker, WorkersRunner

BLOCKS = 16
Step = Callable[[Batch], object]


class CalledWorker(StageWorker):
    def forward(self, batch: Batch) -> torch.Tensor | None:
        return self._runner.forward(batch)


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.infer.bench_workers")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "tiny"
        _write_model(folder)
        stack.enter_context(ray_session(cpus=6))
        contenders = _contenders(folder, stack)
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for number in range(options.rounds + 1):
            for name, step in contenders.items():
                times = [_time(step, position) for position in range(options.steps)]
                taken[name] += times if number > 0 else []  # the first is for warming up
    alone = statistics.median(taken["in this process"])
    for name, times in taken.items():
        median = statistics.median(times)
        print(f"{name:<22} {median * 1e3:6.2f} ms   +{(median - alone) * 1e3:.2f}")


def _contenders(folder: Path, stack: ExitStack) -> dict[str, Step]:
    source = open_model_or_run(folder)
    use_threads(1)
    alone = TorchRunner(Decoder.from_source(source), num_blocks=BLOCKS, block_size=16, threads=1)

    def workers(tensor: int, pipeline: int) -> Step:
        runner = WorkersRunner(_config(folder, tensor, pipeline), source.spec, lambda _: BLOCKS)
        stack.callback(runner.close)
        return runner.forward

    group = WorkerGroup(CalledWorker, 1, args=(_config(folder), BLOCKS))
    stack.enter_context(group)
    return {
        "in this process": alone.forward,
        "1 worker": workers(1, 1),
        "1 worker, Ray's calls": lambda batch: group.rank_zero("forward", batch),
        "tensor_parallel 2": workers(2, 1),
        "pipeline_parallel 2": workers(1, 2),
    }


def _config(folder: Path, tensor: int = 1, pipeline: int = 1) -> ServeConfig:
    return ServeConfig(
        model=str(folder), tensor_parallel=tensor, pipeline_parallel=pipeline, threads=1
    )


def _time(step: Step, position: int) -> float:
    arrays = ([5], [position], [0, 1], [[0, 1, 2, 3]], [0])
    batch = Batch(*(torch.tensor(array, dtype=torch.int32) for array in arrays))
    started = time.perf_counter()
    step(batch)
    return time.perf_counter() - started


def _write_model(folder: Path) -> None:
    tokenizer = Tokenizer.train_bpe(["the quick brown fox jumps over the lazy dog"], 290)
    spec = ModelSpec(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=96,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=16,
        max_positions=256,
    )
    save_hf_folder(folder, spec, Decoder(spec, seed=0).state_dict(), tokenizer)


if __name__ == "__main__":
    main(sys.argv[1:])
