"""A group with a name outlives whoever leads it: here an actor that is killed."""

import os
import signal
import time

import pytest
import ray
import torch
from ray.exceptions import ActorDiedError

from raylm.core.errors import UsageError
from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup, end_group
from raylm.runtime.ledger import Ledger, Record
from raylm.runtime.worker import NAMESPACE, Worker
from tests.processes import is_alive, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class Counting(Worker):
    def setup(self):
        self.total = torch.zeros(1)

    def snapshot(self):
        return {"total": (0, 1, self.total)}

    def restore(self, snapshot):
        self.total = snapshot["total"][2]

    def step(self, indices):
        if indices == "slowly":
            time.sleep(1.0)
        self.total += 1
        return int(self.total)

    def pid(self):
        return os.getpid()


def counting(name, size=2):
    return WorkerGroup(Counting, size, elastic=Elastic(), timeout_s=30, name=name)


class Leader:
    def lead(self, name, steps):
        self.group = counting(name)
        self.group.__enter__()
        for number in range(steps):
            self.group.step(number)
        return os.getpid(), self.group.call("pid"), self.group.epoch

    def step(self, indices):
        return self.group.step(indices)

    def close(self):
        self.group.close()


def leader(name):
    return ray.remote(num_cpus=0)(Leader).options(name=name, namespace=NAMESPACE).remote()


@pytest.mark.parametrize("moment", ["between", "within"])
def test_a_new_leader_finds_the_workers_where_they_are(moment):
    name = f"adopted-{moment}"
    first = leader(name)
    pid, workers, epoch = ray.get(first.lead.remote(name, 3))
    if moment == "within":
        first.step.remote("slowly")
        time.sleep(0.3)
    os.kill(pid, signal.SIGKILL)
    with counting(name) as group:
        assert group.is_adopted
        assert [member.pid for member in group.members] == workers
        assert group.epoch > epoch
        done = 3 if moment == "between" else 4
        assert group.last_results() == [done, done]
        assert group.step(0) == [done + 1] * 2
    wait_until(lambda: not any(map(is_alive, workers)), 10)
    assert Ledger(name).read() is None


def test_a_worker_dies_with_its_leader():
    name = "both"
    pid, workers, _ = ray.get(leader(name).lead.remote(name, 3))
    os.kill(pid, signal.SIGKILL)
    os.kill(workers[0], signal.SIGKILL)
    with counting(name) as group:
        assert group.step(0)[0] == 4
        assert workers[1] in group.call("pid")
        assert workers[0] not in group.call("pid")


def test_the_workers_of_a_leader_that_never_comes_back_end_themselves():
    name = "orphans"
    first = leader(name)
    pid, workers, _ = ray.get(first.lead.remote(name, 1))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ActorDiedError):
        ray.get(first.step.remote(0))
    wait_until(lambda: not any(map(is_alive, workers)), 30)
    end_group(name)
    assert Ledger(name).read() is None


def test_a_group_is_ended_by_its_name():
    name = "ended"
    _, workers, _ = ray.get(leader(name).lead.remote(name, 1))
    end_group(name)
    wait_until(lambda: not any(map(is_alive, workers)), 10)
    end_group(name)


def test_only_an_elastic_group_can_outlive_its_leader():
    with pytest.raises(UsageError, match="named 'mine' must be elastic"):
        WorkerGroup(Counting, 1, name="mine")


def test_what_is_written_is_read_back_until_it_is_erased():
    ledger = Ledger("some/name")
    assert ledger.read() is None
    record = Record(3, 2, {"worker-0": "abcd"}, ("ef01",))
    ledger.write(record)
    assert Ledger("some/name").read() == record
    ledger.erase()
    assert ledger.read() is None
