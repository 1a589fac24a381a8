"""The peers' training under torchft: replicas that vote on every step and heal from each other.

As a program it starts the lighthouse and the replicas, and again those that die.
"""

import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from benchmarks.elastic.replicated import BATCH, SEQUENCE
from benchmarks.train.llama import Llama, random_batch


def train(folder: Path, steps: int, number: int) -> None:
    from torchft import DistributedDataParallel, Manager, Optimizer, ProcessGroupGloo

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Llama()
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def load(state: dict[str, Any]) -> None:
        model.load_state_dict(state["model"])
        adamw.load_state_dict(state["optimizer"])

    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    manager = Manager(
        pg=ProcessGroupGloo(timeout=timedelta(seconds=30)),
        load_state_dict=load,
        state_dict=lambda: {"model": model.state_dict(), "optimizer": adamw.state_dict()},
        min_replica_size=1,
        replica_id=f"replica-{number}",
        rank=0,
        world_size=1,
        store_addr="127.0.0.1",
        store_port=store.port,
        timeout=timedelta(seconds=30),
    )
    replicated = DistributedDataParallel(manager, model)
    optimizer = Optimizer(manager, adamw)
    with (folder / f"log-{number}.jsonl").open("a", encoding="utf-8", buffering=1) as log:
        while manager.current_step() < steps:
            step = manager.current_step() + 1
            optimizer.zero_grad()
            tokens, targets = random_batch(0, step, number, batch=BATCH, sequence=SEQUENCE)
            replicated(tokens, targets).backward()
            optimizer.step()
            log.write(json.dumps({"t": time.time(), "step": step, "pid": os.getpid()}) + "\n")


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def launch(workers: int) -> None:
    port = _free_port()
    lighthouse = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "torchft_lighthouse"),
            *("--bind", f"127.0.0.1:{port}", "--min_replicas", "1"),
            *("--join_timeout_ms", "1000", "--quorum_tick_ms", "20"),
            *("--heartbeat_timeout_ms", "500"),
        ]
    )
    env = os.environ | {"TORCHFT_LIGHTHOUSE": f"http://127.0.0.1:{port}"}
    command = [sys.executable, "-m", "benchmarks.elastic.torchft_replica"]
    replicas: dict[int, subprocess.Popen[bytes]] = {}
    try:
        while True:
            for number in range(workers):
                if number not in replicas or replicas[number].poll() not in (None, 0):
                    replicas[number] = subprocess.Popen([*command, str(number)], env=env)
            if all(replica.poll() == 0 for replica in replicas.values()):
                return
            time.sleep(0.1)
    finally:
        for process in (*replicas.values(), lighthouse):
            process.kill()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train(
            Path(os.environ["RAYLM_BENCH_FOLDER"]),
            int(os.environ["RAYLM_BENCH_STEPS"]),
            int(sys.argv[1]),
        )
    else:
        launch(int(os.environ["RAYLM_BENCH_WORKERS"]))
