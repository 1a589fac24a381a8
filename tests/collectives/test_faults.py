"""What each rank is told, and how soon, when another dies, strays or stays away."""

import os
import signal
import threading
import time
import warnings
from pathlib import Path

import pytest
import torch

from raylm.collectives.choose import connect
from raylm.collectives.shared_memory import SharedMemoryTransport
from raylm.core.errors import CollectiveError, PeerLostError
from tests.ranks import run_ranks

CPU = torch.device("cpu")
LINGER_S = 1.0  # a rank that leaves early would be missed before the others have their own say
links = pytest.mark.parametrize("link", ["shared memory", "gloo"])


def caught(act):
    """What `act` raised, and after how many seconds."""
    began = time.monotonic()
    try:
        act()
    except Exception as error:
        return type(error), str(error), time.monotonic() - began, getattr(error, "rank", None)
    return None, "", time.monotonic() - began, None


def buffers(communicator):
    numel = 16 * communicator.world_size
    return communicator.allocate(numel, torch.float32, CPU), torch.zeros(16)


def one_is_killed(rank, link):
    communicator = connect(CPU, link=link)
    source, out = buffers(communicator)
    communicator.reduce_scatter(source, out, "first").wait()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    found = caught(lambda: communicator.reduce_scatter(source, out, "layer").wait())
    time.sleep(LINGER_S)
    return found


@links
def test_survivors_of_a_killed_rank_fail_at_once(link):
    results = run_ranks(3, one_is_killed, link)
    assert results[1] is None
    for kind, message, seconds, lost in (results[0], results[2]):
        assert seconds < 5
        if link == "shared memory":
            assert kind is PeerLostError
            assert lost == 1
            assert "rank 1 is gone" in message
            assert "reduce_scatter of layer" in message
        else:
            assert issubclass(kind, RuntimeError)


def killed_while_another_is_late(rank, is_waiting_itself):
    communicator = connect(CPU, link="shared memory")
    source, out = buffers(communicator)
    if rank == 0:
        time.sleep(2)
    if rank == 1:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()
        time.sleep(0 if is_waiting_itself else 9)

    def act():
        communicator.reduce_scatter(source, out, "layer").wait()
        communicator.fence("next").wait()

    found = caught(act)
    time.sleep(LINGER_S if rank == 0 else 2)
    return found


@pytest.mark.parametrize("is_waiting_itself", [False, True])
def test_a_death_is_noticed_while_another_rank_is_late(is_waiting_itself):
    late, dead, waiting = run_ranks(3, killed_while_another_is_late, is_waiting_itself)
    assert dead is None
    for kind, message, seconds, lost in (late, waiting):
        assert kind is PeerLostError, message
        assert lost == 1
        assert seconds < (2.7 if is_waiting_itself else 1.5)


def ranks_part(rank, link):
    communicator = connect(CPU, link=link)
    source, out = buffers(communicator)
    communicator.reduce_scatter(source, out, "first").wait()

    def part():
        if rank == 0:
            communicator.reduce_scatter(source, out, "a").wait()
        else:
            communicator.all_gather(source, torch.zeros(64), "b").wait()

    first = caught(part)
    later = caught(lambda: communicator.all_reduce(torch.zeros(1), "later"))
    time.sleep(LINGER_S)
    return first, later


@links
def test_ranks_at_different_operations_are_told_which(link):
    for first, later in run_ranks(2, ranks_part, link):
        kind, message, seconds, _ = first
        assert kind is CollectiveError, message
        assert seconds < 6
        for part in ("rank 0", "rank 1", "reduce_scatter of a", "all_gather of b"):
            assert part in message
        assert later[:2] == first[:2]
        assert later[2] < 0.5


def sizes_differ(rank):
    communicator = connect(CPU, link="shared memory")
    found = caught(lambda: communicator.allocate(8 + rank, torch.float32, CPU))
    time.sleep(LINGER_S)
    return found


def test_memory_of_different_sizes_is_refused():
    for kind, message, _, _ in run_ranks(2, sizes_differ):
        assert kind is CollectiveError
        assert "allocate of 32 bytes" in message
        assert "allocate of 36 bytes" in message


def labels_are_long(rank):
    communicator = connect(CPU, link="shared memory")
    communicator.fence("ü" * 200).wait()
    communicator.fence("short").wait()
    communicator.close()
    return True


def test_a_long_label_that_is_not_ascii_does_not_part_the_ranks():
    assert run_ranks(2, labels_are_long) == [True, True]


def one_sleeps(rank, link):
    communicator = connect(CPU, link=link, timeout_s=2)
    source, out = buffers(communicator)
    communicator.reduce_scatter(source, out, f"first of {link}").wait()
    if rank == 1:
        time.sleep(3.6)
    elif rank == 2:
        time.sleep(0.3)  # the watches do not all lose patience at the same moment
    first = caught(lambda: communicator.reduce_scatter(source, out, "layer").wait())
    later = caught(lambda: communicator.fence("later"))
    if rank != 1:
        time.sleep(1.6)
    return first, later


@links
def test_a_rank_that_stays_away_is_named_with_all_last_operations(link):
    results = run_ranks(3, one_sleeps, link)
    for rank, (first, later) in enumerate(results):
        kind, message, seconds, _ = first
        assert kind is CollectiveError, message
        assert seconds < (4 if rank != 1 else 0.5)
        assert "reduce_scatter of layer; last of each rank:" in message
        assert "rank 0: #3 reduce_scatter of layer" in message
        assert f"rank 1: #2 reduce_scatter of first of {link}" in message
        assert later[:2] == first[:2]
        assert later[2] < 0.5
    assert results[0][0][2] > 1.9


def memfd_fails(rank, link):
    def refuse(name, flags):
        raise OSError(38, "Function not implemented")

    if rank == 1:
        os.memfd_create = refuse
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        communicator = connect(CPU, link=link, timeout_s=20)
    source = communicator.allocate(32, torch.float32, CPU)
    source.local.fill_(rank + 1.0)
    out = torch.zeros(16)
    communicator.reduce_scatter(source, out, "layer").wait()
    communicator.close()
    return communicator.transport.name, [str(w.message) for w in warned], out.unique().tolist()


@links
def test_without_memory_files_gloo_is_taken_with_one_warning(link):
    began = time.monotonic()
    results = run_ranks(2, memfd_fails, "auto" if link == "shared memory" else link)
    assert time.monotonic() - began < 15
    for name, warned, total in results:
        assert name == "gloo"
        assert total == [3.0]
        if link == "shared memory":
            (message,) = warned
            assert "no shared memory between the ranks" in message
            assert "using gloo" in message
            assert "Function not implemented" in message
        else:
            assert warned == []


def open_files():
    return len([*Path("/proc/self/fd").iterdir()])


def memory_runs_out(rank):
    communicator = connect(CPU, link="shared memory", timeout_s=20)
    assert isinstance(communicator.transport, SharedMemoryTransport)
    if rank == 1:

        def refuse(descriptor, size_bytes):
            raise OSError(28, "No space left on device")

        os.ftruncate = refuse
    files = open_files()
    found = caught(lambda: communicator.allocate(2**20, torch.float32, CPU))
    return found, open_files() - files


def test_memory_that_one_rank_cannot_have_fails_on_all_without_a_wait():
    (other, other_leaks), (own, own_leaks) = run_ranks(2, memory_runs_out)
    assert own[0] is OSError
    assert "No space left" in own[1]
    assert other[0] is CollectiveError
    assert other[1] == "rank 1 could not allocate 4194304 bytes"
    assert max(own[2], other[2]) < 2
    assert (other_leaks, own_leaks) == (0, 0)


def alone(rank):
    communicator = connect(CPU)
    return communicator.transport.name, communicator.queue, communicator.watch


def test_a_rank_without_a_group_is_alone():
    assert run_ranks(1, alone) == [("alone", None, None)]
