"""Who is stuck in a collective is freed from another thread, though its peer lives."""

import os
import pickle
import signal
import threading
import time

import pytest
import torch
import torch.distributed as dist
from torch.distributed import PrefixStore
from torch.distributed.distributed_c10d import _get_default_store

from raylm.core.schema import Elastic
from raylm.runtime import rendezvous
from raylm.runtime.backend import GlooBackend
from raylm.runtime.group import WorkerGroup
from raylm.runtime.rendezvous import Rendezvous
from raylm.runtime.worker import Worker
from tests.ranks import run_ranks

TIMEOUT_S = 60.0


def stuck(rank):
    store = PrefixStore("own", _get_default_store())
    dist.destroy_process_group()
    backend = GlooBackend()
    backend.form(store, rank, 3, TIMEOUT_S)
    if rank == 2:  # lives, and takes no part
        store.wait(["free 0", "free 1"])
        return None
    threading.Timer(0.3, backend.abort).start()
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="Connection closed"):
        dist.all_reduce(torch.ones(1))
    seconds = time.monotonic() - began
    backend.destroy()
    backend.destroy()
    store.set(f"free {rank}", "1")
    return seconds


def test_gloo_is_aborted_from_another_thread():
    assert max(run_ranks(3, stuck)[:2]) < 5


def test_an_abort_leaves_other_connections_alone():
    assert run_ranks(2, aborted_beside_a_store) == [b"here"] * 2


def aborted_beside_a_store(rank):
    store = _get_default_store()
    dist.destroy_process_group()
    backend = GlooBackend()
    backend.form(PrefixStore("own", store), rank, 2, TIMEOUT_S)
    store.set(f"formed {rank}", "")
    store.wait(["formed 0", "formed 1"])  # an abort would end the other's forming
    backend.abort()
    store.set(f"rank {rank}", "here")
    return store.get(f"rank {1 - rank}")


def forms_without_a_peer(rank):
    store = _get_default_store()
    if rank == 1:  # leads, and has two come of whom there is only one
        meeting = Rendezvous("127.0.0.1", TIMEOUT_S)
        store.set("invitation", pickle.dumps(meeting.next_epoch([2, 2])[0]))
        store.wait(["free"])
        return 0.0
    invitation = pickle.loads(store.get("invitation"))
    rendezvous.meet = lambda *args: None  # the other dies right after it has been met
    dist.destroy_process_group()
    threading.Timer(0.5, GlooBackend().abort).start()
    began = time.monotonic()
    with pytest.raises(RuntimeError):
        rendezvous.join(invitation, GlooBackend())
    store.set("free", "1")
    return time.monotonic() - began


def test_a_group_that_is_being_formed_is_aborted():
    assert max(run_ranks(2, forms_without_a_peer)) < 5


class HangingBackend:
    """Like NCCL: nothing frees a caller but an abort."""

    def __init__(self):
        self._is_aborted = threading.Event()
        self.calls = []

    def form(self, store, rank, world_size, timeout_s):
        self._is_aborted.clear()
        self.calls.append(("form", world_size, threading.get_ident()))

    def abort(self):
        self.calls.append(("abort", None, threading.get_ident()))
        self._is_aborted.set()

    def destroy(self):
        self.calls.append(("destroy", None, threading.get_ident()))

    def collective(self):
        self.calls.append(("stuck", None, threading.get_ident()))
        self._is_aborted.wait()
        raise RuntimeError("NCCL communicator was aborted")


class Stuck(Worker):
    def __init__(self):
        self.backend = HangingBackend()

    def snapshot(self):
        return {"steps": (0, 1, torch.zeros(1))}

    def restore(self, snapshot): ...

    def step(self, once):
        if once is not None and not once.exists():
            if self.rank == 1:
                time.sleep(0.3)
                once.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            self.backend.collective()
        return self.backend.calls

    def hold_from(self, step, keeping): ...

    def inherit(self, keeping):
        return 1


@pytest.mark.ray
def test_whoever_is_stuck_in_a_collective_is_freed_by_the_group(ray_cluster, tmp_path):
    with WorkerGroup(Stuck, 2, elastic=Elastic(), timeout_s=TIMEOUT_S) as group:
        group.step(None)
        began = time.monotonic()
        calls, *_ = group.step(tmp_path / "once")
        assert time.monotonic() - began < TIMEOUT_S / 2
    names = [name for name, *_ in calls]
    at = names.index("stuck")
    assert names[at + 1 : at + 3] == ["abort", "destroy"]
    assert calls[at + 1][2] != calls[at][2]  # another thread
    assert names.count("form") >= 2
