"""Replicas and what is recovered from them, among real processes of which some are killed."""

import os
import signal
import time

import pytest
import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, _get_default_store

from raylm.collectives.choose import open_transport
from raylm.core.errors import StateLostError
from raylm.runtime.recovery import recover
from raylm.runtime.replica import Replicas, keepings
from raylm.runtime.transfer import even_share
from tests.ranks import run_ranks

CPU = torch.device("cpu")
LENGTHS = {"weight": 1000, "bias": 7}
links = pytest.mark.parametrize("link", ["shared memory", "gloo"])


def value(name, step):
    return torch.arange(LENGTHS[name], dtype=torch.float32) * (step + 1)


def snapshot(rank, world_size, step):
    cut = {
        name: (part.start, LENGTHS[name], value(name, step)[part.start : part.stop])
        for name, part in even_share(LENGTHS, rank, world_size).items()
    }
    return {**cut, "progress": (0, 2, torch.tensor([step, 5]))}


def open_replicas(link, copies=1):
    transport = open_transport(CPU, timeout_s=30, link=link)
    return Replicas(transport, keepings(["a"] * transport.world_size, copies)[transport.rank])


def join(rank, world_size, epoch):
    """What survivors do: leave the group, whose store lives on, and form another."""
    store = PrefixStore(f"epoch-{epoch}", _get_default_store())
    dist.destroy_process_group()
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)


def wanted(rank, world_size):
    def choose(entries):
        lengths = {name: of_name[0].length for name, of_name in entries.items()}
        return even_share(lengths, rank, world_size) | {"progress": range(2)}

    return choose


def steps_of_one_rank(rank, link):
    replicas = open_replicas(link)
    found = []
    for step in range(4):
        replicas.hold(step, snapshot(rank, 3, step))
        replicas.wait()
        found.append(sorted((held.owner, held.step) for held in replicas.holdings()))
    held_bytes = replicas.held_bytes
    replicas.close()
    replicas._queue._thread.join(5)
    assert not replicas._queue._thread.is_alive()
    return found, held_bytes


@links
def test_the_last_two_steps_are_held_by_their_owner_and_its_holders(link):
    for rank, (found, held_bytes) in enumerate(run_ranks(3, steps_of_one_rank, link)):
        owners = range(3) if link == "shared memory" else {rank, (rank - 1) % 3}
        for step, seen in enumerate(found):
            steps = {step - 1, step} if step else {0}
            assert seen == sorted((owner, s) for owner in owners for s in steps)
        own_bytes = sum(-(-length // 3) * 4 for length in LENGTHS.values()) + 16
        assert held_bytes < (2 if link == "shared memory" else 4) * (own_bytes + 512)


def one_is_killed(rank, link, step_of_death):
    replicas = open_replicas(link)
    for step in range(step_of_death + 1):
        replicas.hold(step, snapshot(rank, 3, step))
        replicas.wait()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    new_rank = {0: 0, 2: 1}[rank]
    time.sleep(0.2)
    replicas.close()
    join(new_rank, 2, 1)
    transport = open_transport(CPU, timeout_s=30, link=link)
    recovered = recover(transport, [replicas], wanted(new_rank, 2))
    transport.close()
    return recovered


@links
def test_a_dead_ranks_state_is_shared_out_over_the_survivors(link):
    results = run_ranks(3, one_is_killed, link, 3)
    assert results[1] is None
    for new_rank, recovered in enumerate((results[0], results[2])):
        assert recovered.step == 3
        reads_all_itself = link == "shared memory" or new_rank == 1  # it kept the dead one's state
        assert (recovered.received_bytes == 0) == reads_all_itself
        for name, part in even_share(LENGTHS, new_rank, 2).items():
            start, length, values = recovered.snapshot[name]
            assert (start, length) == (part.start, LENGTHS[name])
            assert torch.equal(values, value(name, 3)[part.start : part.stop])
        assert recovered.snapshot["progress"][2].tolist() == [3, 5]


def killed_while_landing(rank, link):
    """Rank 1 dies before its state of step 2 is whole; the others have theirs."""
    replicas = open_replicas(link)
    for step in range(2):
        replicas.hold(step, snapshot(rank, 3, step))
        replicas.wait()
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    replicas.hold(2, snapshot(rank, 3, 2))
    with pytest.raises(RuntimeError):
        replicas.wait()
    replicas.close()
    new_rank = {0: 0, 2: 1}[rank]
    join(new_rank, 2, 1)
    transport = open_transport(CPU, timeout_s=30, link=link)
    return recover(transport, [replicas], wanted(new_rank, 2))


@links
def test_a_step_is_committed_on_all_ranks_or_on_none(link):
    results = run_ranks(3, killed_while_landing, link)
    for recovered in (results[0], results[2]):
        assert recovered.step == 1
        start, _, values = recovered.snapshot["weight"]
        assert torch.equal(values, value("weight", 1)[start : start + len(values)])


def one_joins(rank, link):
    """Ranks 0 and 1 have worked; rank 2 is new."""
    kept = []
    store = _get_default_store()
    dist.destroy_process_group()
    if rank < 2:
        dist.init_process_group(
            "gloo", store=PrefixStore("epoch-0", store), rank=rank, world_size=2
        )
        replicas = open_replicas(link)
        replicas.hold(5, snapshot(rank, 2, 5))
        replicas.wait()
        replicas.close()
        kept = [replicas]
        dist.destroy_process_group()
    dist.init_process_group("gloo", store=PrefixStore("epoch-1", store), rank=rank, world_size=3)
    transport = open_transport(CPU, timeout_s=30, link=link)
    return recover(transport, kept, wanted(rank, 3))


@links
def test_a_rank_that_joins_is_sent_its_share(link):
    for rank, recovered in enumerate(run_ranks(3, one_joins, link)):
        share = even_share(LENGTHS, rank, 3)
        assert recovered.step == 5
        for name, part in share.items():
            assert torch.equal(recovered.snapshot[name][2], value(name, 5)[part.start : part.stop])
        if rank == 2:
            elements = sum(len(part) for part in share.values())
            assert recovered.received_bytes == elements * 4 + 2 * 8


def two_are_killed(rank):
    replicas = open_replicas("gloo", copies=1)
    replicas.hold(0, snapshot(rank, 4, 0))
    replicas.wait()
    if rank in (1, 2):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    replicas.close()
    new_rank = {0: 0, 3: 1}[rank]
    join(new_rank, 2, 1)
    transport = open_transport(CPU, timeout_s=30, link="gloo")
    try:
        recover(transport, [replicas], wanted(new_rank, 2))
    except StateLostError as error:
        return str(error)


def test_more_deaths_than_replicas_are_said_to_be_so():
    results = run_ranks(4, two_are_killed)
    for message in (results[0], results[3]):
        assert "the state of rank [1] died with all its replicas" in message


def holders(nodes, copies):
    found = keepings(nodes, copies)
    for rank, keeping in enumerate(found):
        assert keeping.owners == tuple(r for r, of in enumerate(found) if rank in of.holders)
    return [list(keeping.holders) for keeping in found]


def test_holders_are_the_next_ranks_those_on_other_nodes_first():
    assert holders(["a", "a", "a"], 1) == [[1], [2], [0]]
    assert holders(["a", "a", "b", "b"], 1) == [[2], [3], [0], [1]]
    assert holders(["a", "a", "b", "b"], 2) == [[2, 3], [3, 2], [0, 1], [1, 0]]
    assert holders(["a", "b"], 0) == [[], []]
    assert holders(["a"], 1) == [[]]
    assert holders(["a", "a", "b"], 2) == [[2, 1], [2, 0], [0, 1]]


def test_ten_thousand_ranks_are_no_burden():
    nodes = [f"node {rank // 8}" for rank in range(10_000)]
    began = time.process_time()
    assert all(len(keeping.owners) == 2 for keeping in keepings(nodes, 2))
    assert time.process_time() - began < 1
