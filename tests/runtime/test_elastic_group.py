"""A group that trains something small and is attacked: real Ray, real kills."""

import os
import signal
import threading
import time

import pytest
import torch
import torch.distributed as dist

from raylm.core.errors import DataError, UsageError, WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup
from raylm.runtime.worker import Worker

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]

SIZE = 1000


class Summing(Worker):
    """`total` is sharded; a step adds the sum of its indices to every element."""

    def setup(self):
        start, stop = SIZE * self.rank // self.world_size, SIZE * (self.rank + 1) // self.world_size
        self.start, self.total = start, torch.zeros(stop - start, dtype=torch.float64)
        self.steps = torch.zeros(1)

    def snapshot(self):
        return {"total": (self.start, SIZE, self.total), "steps": (0, 1, self.steps)}

    def restore(self, snapshot):
        self.start, _, self.total = snapshot["total"]
        _, _, self.steps = snapshot["steps"]

    def step(self, indices):
        mine = indices[self.rank :: self.world_size]
        value = torch.tensor(float(sum(mine)), dtype=torch.float64)
        dist.all_reduce(value)
        self.total += value
        self.steps += 1
        if self.die_in_step == int(self.steps) and self.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.rank, self.total[0].item(), int(self.steps)

    die_in_step = -1

    def doom(self, step):
        self.die_in_step = step

    def state(self):
        return self.start, self.total.clone(), int(self.steps)

    def fail(self, error):
        raise error

    def broken_step(self):
        raise DataError("no such sample")


class Recorder:
    def __init__(self):
        self.events = []

    def __call__(self, name, **fields):
        self.events.append((name, fields))

    def named(self, name):
        return [fields for event, fields in self.events if event == name]


def batch(number):
    return range(10 * number, 10 * number + 10)


def expected(steps):
    return float(sum(range(10 * steps)))


def check(group, results, steps):
    """Every rank has done each step once, and together they hold the whole array once."""
    assert [result[0] for result in results] == list(range(group.size))
    assert {result[1:] for result in results} == {(expected(steps), steps)}
    at = 0
    for start, total, done in group.call("state"):
        assert (start, done) == (at, steps)
        assert torch.equal(total, torch.full_like(total, expected(steps)))
        at += len(total)
    assert at == SIZE


def run(group, first, last):
    results = []
    for number in range(first, last):
        results = group.step(batch(number))
    return results


def elastic_group(size, events=None, **settings):
    return WorkerGroup(
        Summing, size, elastic=Elastic(**settings), timeout_s=30, on_event=events or Recorder()
    )


def kill(group, rank, how=signal.SIGKILL):
    os.kill(group.members[rank].pid, how)


def test_a_step_counts_once_though_a_worker_dies_between_steps():
    events = Recorder()
    with elastic_group(3, events) as group:
        check(group, run(group, 0, 3), 3)
        victim = group.members[1].pid
        kill(group, 1)
        began = time.monotonic()
        results = group.step(batch(3))
        assert time.monotonic() - began < 5
        check(group, results, 4)
        assert [e["pid"] for e in events.named("worker_lost")] == [victim]
        assert events.named("recovered")[0]["steps_lost"] == 0
        check(group, run(group, 4, 8), 8)


@pytest.mark.parametrize("victim", [0, 1, 2])
def test_a_step_counts_once_though_a_worker_dies_in_it(victim):
    with elastic_group(3) as group:
        run(group, 0, 2)
        timer = threading.Timer(0.002 * victim, kill, (group, victim))
        timer.start()
        check(group, run(group, 2, 30), 30)
        timer.join()
        assert group.epoch >= 1


def test_a_worker_dies_after_its_update():
    with elastic_group(2) as group:
        run(group, 0, 2)
        group.call("doom", 4)
        check(group, run(group, 2, 5), 5)


def test_the_lost_are_replaced():
    events = Recorder()
    with elastic_group(2, events) as group:
        run(group, 0, 2)
        kill(group, 0)
        number = 2
        results = group.step(batch(number))
        while group.size < 2:
            number += 1
            results = group.step(batch(number))
            time.sleep(0.05)
        check(group, results, number + 1)
        assert len(events.named("worker_joined")) == 1


def test_a_stopped_worker_is_replaced_after_the_heartbeat_limit():
    with elastic_group(2, heartbeat_s=1.0) as group:
        run(group, 0, 2)
        kill(group, 1, signal.SIGSTOP)
        began = time.monotonic()
        results = group.step(batch(2))
        assert 0.9 < time.monotonic() - began < 4
        check(group, results, 3)


def test_the_group_grows_and_shrinks_on_request():
    events = Recorder()
    with elastic_group(2, events, max=4) as group:
        run(group, 0, 2)
        group.resize(4)
        check(group, run(group, 2, 4), 4)
        assert group.size == 4
        group.resize(1)
        assert group.size == 1
        check(group, run(group, 4, 6), 6)
        with pytest.raises(UsageError, match=r"5 workers are more than elastic.max 4"):
            group.resize(5)


def test_an_error_of_the_workers_own_is_raised_not_tried_again():
    with elastic_group(2) as group:
        run(group, 0, 1)
        with pytest.raises(DataError, match="no such sample"):
            group.call("broken_step")
        with pytest.raises(WorkerError):
            group.step(batch(1))


def test_a_group_that_is_not_elastic_says_so():
    with WorkerGroup(Summing, 1) as group, pytest.raises(UsageError, match="not elastic"):
        group.step(batch(0))


def test_without_replicas_a_loss_is_the_end_but_resizing_goes_on():
    with elastic_group(2, replicas=0, max=3) as group:
        check(group, run(group, 0, 2), 2)
        group.resize(3)
        check(group, run(group, 2, 4), 4)
        kill(group, 2)
        with pytest.raises(WorkerError, match=r"worker 2 .* died"):
            group.step(batch(4))


def test_the_last_worker_dies():
    with elastic_group(1) as group:
        run(group, 0, 2)
        kill(group, 0)
        with pytest.raises(WorkerError, match="no worker is left; resume from the last checkpoint"):
            group.step(batch(2))
