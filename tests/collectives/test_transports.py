"""Every operation over both links, checked against sums in float64 and against each other."""

import os
import signal
import threading
import time
from functools import cache
from pathlib import Path

import psutil
import pytest
import torch

from raylm.collectives.choose import connect
from raylm.core.errors import PeerLostError
from tests.ranks import run_ranks

CPU = torch.device("cpu")
LINKS = ("shared memory", "gloo")
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
PAST_BLOCK = 2**17 + 16  # elements: sum_into goes by blocks of 2**17
ROUNDING = {
    torch.float64: 1e-15,
    torch.float32: 1e-6,
    torch.bfloat16: 2**-8,
    torch.float16: 2**-11,
}
worlds = pytest.mark.parametrize("world_size", [2, 3, 4])


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that spin for a core would slow the ranks."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def values(rank, numel, dtype, seed=0):
    generator = torch.Generator().manual_seed(1000 * seed + rank)
    return torch.randn(numel, dtype=torch.float64, generator=generator).to(dtype)


def assert_rounded(found, terms, roundings=1):
    """`found` is the sum of `terms` but for some roundings to its dtype."""
    terms = torch.stack([term.double() for term in terms])
    total, dtype = terms.sum(0), found.dtype
    tiny = 1e-6 if dtype != torch.float64 else 1e-14  # of the sum in the wider type
    room = ROUNDING[dtype] * total.abs() * roundings + tiny * terms.abs().sum(0)
    if dtype == torch.float16:
        room += 2**-24  # subnormal
    error = (found.double() - total).abs()
    assert bool((error <= room).all()), f"{dtype}: {error.max()} at {error.argmax()}"


def cases():
    large = [(torch.float32, PAST_BLOCK), (torch.bfloat16, PAST_BLOCK)]
    return [*((dtype, 37) for dtype in DTYPES), (torch.float32, 1), *large]


def over_links(world_size, function, *args):
    """The results of `function(communicator, *args)` over each link, by link."""
    by_rank = run_ranks(world_size, _over_links, function, *args)
    return {link: [results[link] for results in by_rank] for link in LINKS}


def _over_links(rank, function, *args):
    results = {}
    for link in LINKS:
        communicator = connect(CPU, link=link)
        assert communicator.transport.name == link
        results[link] = function(communicator, *args)
        communicator.close()
    return results


def filled(communicator, numel, dtype, seed=0):
    buffer = communicator.allocate(numel, dtype, CPU)
    assert not buffer.local.any()
    buffer.local.copy_(values(communicator.rank, numel, dtype, seed))
    return buffer


def reduce_scatters(communicator):
    rank, world_size, results = communicator.rank, communicator.world_size, {}
    for dtype, size in cases():
        source = filled(communicator, size * world_size, dtype)
        plain = torch.full((size,), 7.0, dtype=dtype)
        communicator.reduce_scatter(source, plain, "plain").wait()
        grown = values(rank, size, dtype, seed=1).clone()
        communicator.reduce_scatter(source, grown, "grown", accumulate=True).wait()
        communicator.fence("before the next filling").wait()

        refilled = torch.zeros(size, dtype=dtype)

        def fill(target, size=size, dtype=dtype):
            target.copy_(values(rank, size * world_size, dtype, seed=2))

        communicator.reduce_scatter(source, refilled, "filled", fill=fill).wait()
        communicator.fence("before the last filling").wait()
        source.local.copy_(values(rank, size * world_size, dtype))
        own = source.shards(rank, world_size).local
        communicator.reduce_scatter(source, own, "in place").wait()
        others = source.local.clone()
        others[rank * size : (rank + 1) * size] = 0
        results[dtype, size] = (plain, grown, refilled, own.clone(), others)
        communicator.fence("before it is freed").wait()
    return results


@worlds
def test_reduce_scatter(world_size):
    found = over_links(world_size, reduce_scatters)
    for dtype, size in cases():
        for rank in range(world_size):
            part = slice(rank * size, (rank + 1) * size)
            before, after = (
                [values(r, size * world_size, dtype, seed)[part] for r in range(world_size)]
                for seed in (0, 2)
            )
            memory, gloo = (found[link][rank][dtype, size] for link in LINKS)
            plain, grown, refilled, in_place, others = memory
            assert_rounded(plain, before)
            assert_rounded(grown, [values(rank, size, dtype, seed=1), *before])
            assert_rounded(refilled, after)
            assert torch.equal(in_place, plain)
            untouched = values(rank, size * world_size, dtype).clone()
            untouched[part] = 0
            assert torch.equal(others, untouched)
            for a, b in zip(memory, gloo, strict=True):
                assert torch.equal(a, b), (dtype, size, rank)


def all_gathers(communicator):
    rank, world_size, results = communicator.rank, communicator.world_size, []
    for dtype, size in cases():
        source = communicator.allocate(size, dtype, CPU)
        for seed in (1, 2):
            time.sleep(0.01 * (rank == 0))  # the others must wait for what rank 0 writes late
            source.local.copy_(values(rank, size, dtype, seed))
            communicator.fence("written")
            fenced = torch.zeros(size * world_size, dtype=dtype)
            communicator.all_gather(source, fenced, "fenced", is_fenced=True).wait()
            communicator.fence("read")
            again = torch.zeros(size * world_size, dtype=dtype)
            communicator.all_gather(source, again, "fenced again", is_fenced=True).wait()
            communicator.fence("read again").wait()

            time.sleep(0.01 * (rank == 0))
            source.local.neg_()
            unfenced = torch.zeros(size * world_size, dtype=dtype)
            communicator.all_gather(source, unfenced, "unfenced").wait()
            communicator.fence("all read").wait()
            expected = torch.cat([values(r, size, dtype, seed) for r in range(world_size)])
            results += [torch.equal(fenced, expected), torch.equal(again, expected)]
            results += [torch.equal(unfenced, -expected)]

        whole = filled(communicator, size * world_size, dtype)
        part = whole.shards(rank, world_size)
        communicator.all_gather(part, whole.local, "in place").wait()
        each = [values(r, size * world_size, dtype).chunk(world_size)[r] for r in range(world_size)]
        results.append(torch.equal(whole.local, torch.cat(each)))
        communicator.fence("before it is freed").wait()
    return results


@worlds
def test_all_gather(world_size):
    for by_rank in over_links(world_size, all_gathers).values():
        for results in by_rank:
            assert len(results) == 7 * len(cases())
            assert all(results), results


def exchanges(communicator):
    rank, world_size = communicator.rank, communicator.world_size
    received = {}
    for dtype in (*DTYPES, torch.int64):
        parts = [torch.full((3 * rank + to,), 10 * rank + to).to(dtype) for to in range(world_size)]
        counts = [3 * sender + rank for sender in range(world_size)]
        received[dtype] = communicator.exchange(parts, counts, "rows")
    return received, communicator.recorder.by_operation["exchange"]


@worlds
def test_exchange_with_uneven_counts(world_size):
    for by_rank in over_links(world_size, exchanges).values():
        for rank, (received, sent) in enumerate(by_rank):
            for dtype, parts in received.items():
                for sender, part in enumerate(parts):
                    expected = torch.full((3 * sender + rank,), 10 * sender + rank).to(dtype)
                    assert torch.equal(part, expected)
                    assert part.dtype == dtype
            elements = sum(3 * rank + to for to in range(world_size) if to != rank)
            assert sent == elements * (8 + 4 + 2 + 2 + 8)


def small_operations(communicator):
    rank, world_size = communicator.rank, communicator.world_size
    sums, copies = {}, {}
    for dtype in DTYPES:
        sums[dtype] = values(rank, 33, dtype).clone()
        communicator.all_reduce(sums[dtype], "sum")
        copies[dtype] = values(rank, 33, dtype).clone()
        communicator.broadcast(copies[dtype], "copy", root=world_size - 1)
    count = torch.tensor(2**40 + rank)
    communicator.all_reduce(count, "count")
    objects = communicator.gather_objects({"rank": rank, "text": "x" * rank}, "names")
    return sums, copies, count.item(), objects


@worlds
def test_all_reduce_broadcast_and_gather_objects(world_size):
    found = over_links(world_size, small_operations)
    ranks = range(world_size)
    for by_rank in found.values():
        for sums, copies, count, objects in by_rank:
            for dtype in DTYPES:
                assert torch.equal(sums[dtype], by_rank[0][0][dtype])
                terms = [values(r, 33, dtype) for r in ranks]
                # A 16-bit sum is rounded at each step, also where it is large in between.
                room = ROUNDING[dtype] * world_size * torch.stack(terms).double().abs().sum(0)
                error = (sums[dtype].double() - sum(term.double() for term in terms)).abs()
                assert bool((error <= room).all())
                assert torch.equal(copies[dtype], values(world_size - 1, 33, dtype))
            assert count == sum(2**40 + r for r in ranks)
            assert objects == [{"rank": r, "text": "x" * r} for r in ranks]


def one_shot_sums(communicator):
    """Ranks that are late in turn, and sizes that grow past what there is memory for so far."""
    found = []
    for number, size in enumerate((1, 5, 300, 7, 40_000, 2, 3 * 2**20)):
        if number % communicator.world_size == communicator.rank:
            time.sleep(0.02)
        total = torch.full((size,), float(number + communicator.rank))
        communicator.transport.one_shot_all_reduce(total)
        found.append((total.numel(), total.unique().tolist()))
    return found


@worlds
def test_one_shot_sums_in_a_row_do_not_disturb_each_other(world_size):
    for by_rank in over_links(world_size, one_shot_sums).values():
        for found in by_rank:
            ranks = world_size * (world_size - 1) / 2
            sizes = (1, 5, 300, 7, 40_000, 2, 3 * 2**20)
            assert found == [(s, [n * world_size + ranks]) for n, s in enumerate(sizes)]


def counted(communicator):
    world_size, recorder = communicator.world_size, communicator.recorder
    whole = communicator.allocate(48 * world_size, torch.float32, CPU)
    part = whole.shards(communicator.rank, world_size)
    communicator.reduce_scatter(whole, torch.zeros(48), "a").wait()
    communicator.all_gather(part, torch.zeros(48 * world_size), "b").wait()
    communicator.fence("c").wait()
    communicator.all_reduce(torch.zeros(12), "d")
    communicator.broadcast(torch.zeros(5, dtype=torch.float64), "e", root=1)
    communicator.gather_objects("small", "f")
    return recorder.by_operation, recorder.bytes_sent


@worlds
def test_bytes_are_counted_exactly(world_size):
    others = world_size - 1
    for by_rank in over_links(world_size, counted).values():
        for rank, (by_operation, total) in enumerate(by_rank):
            expected = {
                "allocate": 0,
                "reduce_scatter": 48 * 4 * others,
                "all_gather": 48 * 4 * others,
                "fence": 0,
                "all_reduce": 2 * others * 12 * 4 // world_size,
                "broadcast": 5 * 8 * others if rank == 1 else 0,
                "gather_objects": 0,
            }
            assert by_operation == expected
            assert total == sum(expected.values())


def loopback_bytes():
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    (fields,) = [line.split(":")[1].split() for line in lines if line.strip().startswith("lo:")]
    return int(fields[8])


def traffic(rank, size_bytes):
    communicator = connect(CPU, link="gloo")
    source = communicator.allocate(size_bytes // 4, torch.float32, CPU)
    out = torch.zeros(size_bytes // 8)
    found = []
    for _ in range(6):
        communicator.recorder.reset()
        communicator.gather_objects(None, "start")
        before = loopback_bytes()
        communicator.gather_objects(None, "before is read")
        communicator.reduce_scatter(source, out, "traffic").wait()
        communicator.gather_objects(None, "end")
        found.append((loopback_bytes() - before, communicator.recorder.bytes_sent))
        communicator.gather_objects(None, "after is read")
    communicator.close()
    return found


def test_gloo_sends_the_bytes_that_are_counted():
    by_rank = run_ranks(2, traffic, 2**24)
    counted = [sum(sent for _, sent in repeat) for repeat in zip(*by_rank, strict=True)]
    assert counted == [2**24] * 6
    real = min(real for repeats in by_rank for real, _ in repeats)  # others use the link as well
    assert 2**24 <= real <= 1.05 * 2**24


def shared_files():
    maps = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    paths = {fields[5] for line in maps if len(fields := line.split(maxsplit=5)) > 5}
    return [p for p in paths if p.startswith("/dev/shm")], [p for p in paths if "raylm-" in p]


def killed_in_a_loop(rank, numel):
    communicator = connect(CPU, link="shared memory")
    source = communicator.allocate(numel, torch.float32, CPU)
    out = torch.zeros(numel // 3)
    communicator.reduce_scatter(source, out, "first").wait()
    mine = (os.getpid(), *shared_files(), [p.pid for p in psutil.Process().children(True)])
    everyone = communicator.gather_objects(mine, "what could be left")
    if rank == 1:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()
    error = None
    try:
        for step in range(10**6):
            communicator.reduce_scatter(source, out, f"step {step}").wait()
    except PeerLostError as caught:
        error = (caught.rank, str(caught))
    return everyone, error


def test_a_rank_killed_in_mid_collective_leaves_nothing_behind():
    before = set(Path("/dev/shm").iterdir())
    results = run_ranks(3, killed_in_a_loop, 3 * 2**20)
    assert results[1] is None
    everyone = results[0][0]
    for _, error in (results[0], results[2]):
        assert error is not None
        lost, message = error
        assert lost == 1
        assert "reduce_scatter of step" in message
    pids = {pid for pid, *_ in everyone}
    for _pid, on_disk, anonymous, children in everyone:
        assert on_disk == []  # nothing that has a name could be left
        assert any("memfd:raylm-1" in path for path in anonymous)
        assert children == []
    new = [path.name for path in set(Path("/dev/shm").iterdir()) - before]  # others write there
    ours = ("raylm", *(str(pid) for pid in pids))
    assert [name for name in new if any(word in name for word in ours)] == []
    deadline = time.monotonic() + 5
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)
