"""A real Ray, real processes, real deaths."""

import os
import signal
import threading
import time

import pytest
import torch
import torch.distributed as dist

from raylm.core.errors import DataError, UsageError, WorkerError
from raylm.runtime.group import WorkerGroup
from raylm.runtime.worker import Worker, control
from tests.processes import is_alive, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class Adder(Worker):
    def __init__(self, start: float = 0.0) -> None:
        self.start = start

    def setup(self):
        self.value = torch.tensor([self.start + self.rank])

    def total(self, extra=0.0):
        value = self.value + extra
        dist.all_reduce(value)
        return value.item()

    def echo(self, part):
        return self.rank, part

    def fail(self, rank, error):
        if self.rank == rank:
            raise error
        dist.barrier()

    def wait_for_peers(self, marker):
        """Says in a file when it was set free."""
        try:
            while True:
                dist.all_reduce(torch.ones(1_000_000))
        except RuntimeError:
            marker.joinpath(str(self.rank)).touch()
            raise

    def sleep(self, seconds):
        time.sleep(seconds)

    @control
    def answer(self):
        return "here"


class Unbuildable(Worker):
    def __init__(self) -> None:
        raise ValueError("odd")


def kill_after(pid, seconds, how=signal.SIGKILL):
    timer = threading.Timer(seconds, os.kill, (pid, how))
    timer.start()
    return timer


def test_the_ranks_form_one_group_and_are_called_as_one():
    with WorkerGroup(Adder, 3, kwargs={"start": 1.0}) as group:
        assert [member.rank for member in group.members] == [0, 1, 2]
        assert len({member.pid for member in group.members}) == 3
        assert group.epoch == 0
        assert group.call("total") == [6.0, 6.0, 6.0]
        assert group.call("total", extra=1.0) == [9.0, 9.0, 9.0]
        assert group.scatter("echo", ["a", "b", "c"]) == [(0, "a"), (1, "b"), (2, "c")]
        assert group.rank_zero("echo", "x") == (0, "x")
        with pytest.raises(UsageError, match="2 parts for 3 workers"):
            group.scatter("echo", ["a", "b"])
        pids = [member.pid for member in group.members]
    wait_until(lambda: not any(is_alive(pid) for pid in pids), seconds=5)
    with pytest.raises(UsageError, match="no workers"):
        group.call("total")


def test_a_killed_worker_is_named_and_no_survivor_hangs(tmp_path):
    """At 4 ranks, rank 1 is no ring neighbour of rank 3 and would wait out the timeout."""
    with WorkerGroup(Adder, 4, timeout_s=60) as group:
        victim = group.members[3]
        kill_after(victim.pid, 0.3)
        start = time.monotonic()
        with pytest.raises(WorkerError, match=rf"worker 3 \(pid {victim.pid}\) died") as caught:
            group.call("wait_for_peers", tmp_path)
        assert time.monotonic() - start < 10
        assert (caught.value.rank, caught.value.pid) == (3, victim.pid)
        assert caught.value.reason
        wait_until(lambda: {p.name for p in tmp_path.iterdir()} == {"0", "1", "2"}, seconds=10)
        with pytest.raises(WorkerError, match="the group is broken: worker 3"):
            group.call("total")


def test_a_worker_that_dies_between_calls_is_named():
    with WorkerGroup(Adder, 2) as group:
        os.kill(group.members[1].pid, signal.SIGKILL)
        with pytest.raises(WorkerError, match=r"worker 1 .* died"):
            group.call("total")


def test_a_stopped_worker_is_given_up_after_the_collective_timeout():
    with WorkerGroup(Adder, 2, timeout_s=2) as group:
        victim = group.members[1]
        os.kill(victim.pid, signal.SIGSTOP)
        try:
            with pytest.raises(WorkerError, match=r"worker 1 .* does not answer"):
                group.call("total")
        finally:
            os.kill(victim.pid, signal.SIGCONT)


def test_an_exception_names_its_rank_and_an_error_of_ours_comes_through():
    with WorkerGroup(Adder, 2, timeout_s=60) as group:
        with pytest.raises(WorkerError, match=r"worker 1 .* failed: ValueError: odd") as caught:
            group.call("fail", 1, ValueError("odd"))
        assert isinstance(caught.value.__cause__, ValueError)
        assert "in fail" in str(caught.value.__cause__)  # the traceback in the worker
    with WorkerGroup(Adder, 2) as group, pytest.raises(DataError, match="no such file"):
        group.call("fail", 0, DataError("no such file: 'x'"))


def test_control_answers_while_a_method_runs():
    import ray

    with WorkerGroup(Adder, 1) as group:
        actor = group._ranks().hands[0].actor
        busy = actor.invoke.remote(group.epoch, "sleep", (1.0,), {})
        assert ray.get(actor.answer.remote(), timeout=0.9) == "here"
        ray.get(busy)


def test_more_than_the_cluster_has_is_refused_at_once():
    with pytest.raises(
        WorkerError, match=r"2 workers x \{GPU: 4\}, but the cluster has \{CPU: 8\}"
    ):
        WorkerGroup(Adder, 2, resources={"GPU": 4}).__enter__()


def test_a_worker_that_cannot_be_built_says_why():
    with pytest.raises(WorkerError, match=r"worker 0 .*: ValueError: odd"):
        WorkerGroup(Unbuildable, 1).__enter__()
    with pytest.raises(WorkerError, match=r"worker 0 .*: TypeError: can only concatenate str"):
        WorkerGroup(Adder, 1, kwargs={"start": "one"}).__enter__()


def test_a_class_that_is_no_worker_is_refused():
    with pytest.raises(UsageError, match="dict must derive from"):
        WorkerGroup(dict, 1)
