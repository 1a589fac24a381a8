"""Running a function as every rank of a small world, in real processes that start fast."""

import multiprocessing
import os
import sys
import traceback
import warnings
from datetime import timedelta

import torch
import torch.distributed as dist
from ray import cloudpickle

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["torch", "ray.cloudpickle", "raylm.train.initialize"])


class RankError(AssertionError):
    pass


def run_ranks(world_size, function, *args, timeout_s=120, collective_timeout_s=30):
    """`function(rank, *args)` on every rank of a group over gloo; the results in rank order.

    A result of None stands for a rank that died without a word.
    """
    cloudpickle.register_pickle_by_value(sys.modules[function.__module__])
    payload = cloudpickle.dumps((function, args))
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    pipes, processes = [], []
    for rank in range(world_size):
        ours, theirs = _CONTEXT.Pipe()
        arguments = (rank, world_size, store.port, collective_timeout_s, payload, theirs)
        process = _CONTEXT.Process(target=_rank, args=arguments, daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    results, failures = [], []
    try:
        for rank, pipe in enumerate(pipes):
            if not pipe.poll(timeout_s):
                failures.append(f"rank {rank} did not answer within {timeout_s} s")
                continue
            try:
                is_good, value = pipe.recv()
            except EOFError:
                results.append(None)
                continue
            results.append(cloudpickle.loads(value) if is_good else None)
            if not is_good:
                failures.append(f"rank {rank}:\n{value}")
    finally:
        for process in processes:
            process.join(5 if not failures else 0.5)
            process.kill()
    if failures:
        raise RankError("\n".join(failures))
    return results


def _rank(rank, world_size, port, timeout_s, payload, pipe):
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    warnings.simplefilter("error")
    try:
        if world_size > 1:
            timeout = timedelta(seconds=timeout_s)
            store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=timeout)
            dist.init_process_group(
                "gloo", store=store, rank=rank, world_size=world_size, timeout=timeout
            )
        function, args = cloudpickle.loads(payload)
        pipe.send((True, cloudpickle.dumps(function(rank, *args))))
    except BaseException:
        pipe.send((False, traceback.format_exc()))
    pipe.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
