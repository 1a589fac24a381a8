"""A small world of processes on this machine that each run one function."""

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import multiprocessing


def run_world(world: int, function: Callable[..., Any], *args: Any) -> list[Any]:
    """`function(rank, *args)` on every rank of a gloo group, a thread each; results by rank."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    processes = [
        context.Process(target=_rank, args=(r, world, store.port, results, function, args))
        for r in range(world)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise SystemExit(f"a rank of {function.__name__} ended with {process.exitcode}")
    by_rank = dict(results.get() for _ in processes)
    return [by_rank[rank] for rank in range(world)]


def _rank(
    rank: int,
    world: int,
    port: int,
    results: Any,
    function: Callable[..., Any],
    args: tuple[Any, ...],
) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = dist.TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world)
    results.put((rank, function(rank, *args)))
    dist.destroy_process_group()
