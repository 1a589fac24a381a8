"""A group that trains something small and is attacked: real Ray, real kills."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from raylm.core.errors import (
    DataError,
    PoisonedStepError,
    StateLostError,
    UsageError,
    WorkerError,
)
from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup
from raylm.runtime.ranks import RanksFailedError
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
    epoch_of_warming: int | None = None

    def warm_up(self):
        self.epoch_of_warming = self.epoch

    def warmed_up(self):
        return self.epoch_of_warming

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
        [joined] = events.named("worker_joined")
        newcomer = [member.pid for member in group.members].index(joined["pid"])
        # One that comes late is warm before it joins; those who start together need not be.
        assert group.call("warmed_up")[newcomer] == -1
        assert group.call("warmed_up")[1 - newcomer] is None


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


def test_the_group_grows_though_a_worker_dies_meanwhile():
    with elastic_group(2, max=3) as group:
        run(group, 0, 2)
        kill(group, 0)
        group.resize(3)
        assert group.size == 3
        check(group, run(group, 2, 4), 4)


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
        with pytest.raises(StateLostError, match="no worker is left; resume from the last"):
            group.step(batch(2))


def test_a_worker_whose_machine_goes_is_let_go_before_it_does():
    events = Recorder()
    with elastic_group(3, events, heartbeat_s=0.5) as group:
        run(group, 0, 2)
        leaving = group.members[0].pid
        kill(group, 0, signal.SIGTERM)
        number = 2
        while not events.named("worker_left"):
            results = group.step(batch(number))
            number += 1
            time.sleep(0.05)
        check(group, results, number)
        assert [e["pid"] for e in events.named("worker_left")] == [leaving]
        assert not events.named("worker_lost")


class Poisoned(Summing):
    def step(self, indices):
        if 42 in indices[self.rank :: self.world_size]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().step(indices)


def poisoned(size, events):
    return WorkerGroup(Poisoned, size, elastic=Elastic(), timeout_s=30, on_event=events)


def test_a_step_that_kills_who_does_it_is_named_and_another_may_take_its_place():
    events = Recorder()
    with poisoned(3, events) as group:
        run(group, 0, 4)
        with pytest.raises(PoisonedStepError, match="killed a worker 3 times in a row") as raised:
            group.step(batch(4))
        assert len(raised.value.victims) == len(events.named("worker_lost")) == 3
        assert all(42 in batch(4)[rank::size] for rank, size in raised.value.victims)
        results = group.step([index for index in batch(4) if index != 42])
        assert results[0][1:] == (expected(5) - 42, 5)


def test_another_group_is_told_who_has_died_in_the_step():
    with poisoned(2, Recorder()) as group, pytest.raises(StateLostError) as lost:
        run(group, 0, 5)
    assert len(lost.value.victims) == 2
    with poisoned(2, Recorder()) as group:
        run(group, 0, 4)
        with pytest.raises(PoisonedStepError) as raised:
            group.step(batch(4), victims=lost.value.victims)
        assert raised.value.victims[:2] == lost.value.victims
        assert group.step([1])[0][1:] == (expected(4) + 1, 5)


class Slow(Summing):
    """Counts what it waits for; the one with `delay_s` has more work."""

    delay_s = 0.0
    waited = 0.0

    @property
    def waited_s(self):
        return self.waited

    def step(self, indices):
        time.sleep(0.02 + self.delay_s)
        began = time.monotonic()
        result = super().step(indices)
        self.waited += time.monotonic() - began
        return result

    def slow_down(self, rank):
        if self.rank == rank:
            self.delay_s = 0.06


@pytest.mark.parametrize("replaces", [False, True])
def test_a_straggler_is_reported_and_on_request_replaced(replaces):
    events = Recorder()
    elastic = Elastic(heartbeat_s=1.0, replace_stragglers=replaces)
    with WorkerGroup(Slow, 3, elastic=elastic, timeout_s=30, on_event=events) as group:
        run(group, 0, 2)
        group.call("slow_down", 1)
        straggler = group.members[1].pid
        number = 2
        deadline = time.monotonic() + 60
        while not events.named("worker_left" if replaces else "straggler"):
            results = group.step(batch(number))
            number += 1
            assert time.monotonic() < deadline
        check(group, results, number)
        assert [event["pid"] for event in events.named("straggler")] == [straggler]
        left = [event["pid"] for event in events.named("worker_left")]
        assert left == ([straggler] if replaces else [])
        assert group.size == 3


class Stillborn(Summing):
    def __init__(self, grave):
        if Path(grave).exists():
            raise OSError("no licence for this machine")


def test_workers_that_die_at_their_start_are_not_started_for_ever(tmp_path):
    grave = tmp_path / "grave"
    elastic = Elastic(min=2)
    with WorkerGroup(Stillborn, 2, args=(str(grave),), elastic=elastic, timeout_s=30) as group:
        run(group, 0, 2)
        grave.touch()
        kill(group, 0)
        with pytest.raises(WorkerError, match=r"5 workers in a row.*no licence for this machine"):
            group.step(batch(2))


def test_a_controller_that_is_out_of_date_is_not_obeyed():
    with elastic_group(2, max=3) as group:
        run(group, 0, 2)
        old = group._controller.ranks
        group.resize(3)
        with pytest.raises(RanksFailedError, match="controller of epoch 0 has called a worker"):
            old.gather(old.submit_all("advance", 3, batch(2)))
        check(group, run(group, 2, 4), 4)
