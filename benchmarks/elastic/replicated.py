"""A replica of the peers' training: DDP that saves every 10 steps and goes on from what is saved.

It imports nothing of RayLM. torchrun starts it as a module; Ray Train calls `train`.
"""

import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from benchmarks.train.llama import Llama, random_batch

BATCH, SEQUENCE, SAVE_EVERY = 1, 128, 10


def train(folder: Path, steps: int) -> None:
    """In a process group that is formed. A line of `log-RANK.jsonl` tells of every step."""
    rank = dist.get_rank()
    torch.manual_seed(0)
    model = DistributedDataParallel(Llama())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    first = _load(folder, model, optimizer)
    with (folder / f"log-{rank}.jsonl").open("a", encoding="utf-8", buffering=1) as log:
        for step in range(first + 1, steps + 1):
            tokens, targets = random_batch(0, step, rank, batch=BATCH, sequence=SEQUENCE)
            model(tokens, targets).backward()
            optimizer.step()
            optimizer.zero_grad()
            log.write(json.dumps({"t": time.time(), "step": step, "pid": os.getpid()}) + "\n")
            if step % SAVE_EVERY == 0 and rank == 0:
                _save(folder, step, model, optimizer)


def _save(
    folder: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    draft = folder / "draft.pt"
    state = {"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, draft)
    draft.replace(folder / "saved.pt")


def _load(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    saved = folder / "saved.pt"
    if not saved.exists():
        return 0
    state = torch.load(saved, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    step: int = state["step"]
    return step


if __name__ == "__main__":
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    train(Path(os.environ["RAYLM_BENCH_FOLDER"]), int(os.environ["RAYLM_BENCH_STEPS"]))
    dist.destroy_process_group()
