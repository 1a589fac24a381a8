"""Several Ray nodes on this machine: they crash, stand still and come."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray
import torch
import torch.distributed as dist
from ray.cluster_utils import Cluster

from raylm.core.errors import WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import ray_session
from raylm.runtime.worker import Worker
from tests.processes import is_alive, wait_until

pytestmark = pytest.mark.ray

SIZE = 1000
PROMPT = {  # how soon Ray takes a node for dead
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
MEMORY = 100 * 2**20


class Summing(Worker):
    def setup(self):
        start, stop = SIZE * self.rank // self.world_size, SIZE * (self.rank + 1) // self.world_size
        self.start, self.total = start, torch.zeros(stop - start, dtype=torch.float64)

    def snapshot(self):
        return {"total": (self.start, SIZE, self.total)}

    def restore(self, snapshot):
        self.start, _, self.total = snapshot["total"]

    def step(self, indices):
        value = torch.tensor(float(sum(indices[self.rank :: self.world_size])), dtype=torch.float64)
        dist.all_reduce(value)
        self.total += value
        return self.total[0].item()


@pytest.fixture
def cluster():
    ray.shutdown()
    started = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "object_store_memory": MEMORY,
            "_system_config": PROMPT,
        },
    )
    with ray_session(started.address):
        yield started
    started.shutdown()


def add_node(cluster, cpus=2):
    node = cluster.add_node(num_cpus=cpus, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    return node


def check(results, steps):
    assert set(results) == {float(sum(range(10 * steps)))}


def batch(number):
    return range(10 * number, 10 * number + 10)


class Recorder(list):
    def __call__(self, name, **fields):
        self.append((name, fields))

    def named(self, name):
        return [fields for event, fields in self if event == name]


def spread(size, events, **settings):
    elastic = Elastic(**settings)
    return WorkerGroup(
        Summing, size, elastic=elastic, timeout_s=30, strategy="SPREAD", on_event=events
    )


def processes_of(node):
    """The raylet and all that it has started."""
    raylet = node.all_processes["raylet"][0].process.pid
    children = Path(f"/proc/{raylet}/task/{raylet}/children").read_text().split()
    return [raylet, *map(int, children)]


def test_a_node_crashes_and_no_step_is_lost(cluster):
    node, events = add_node(cluster), Recorder()
    with spread(4, events) as group:
        by_node = [member.node for member in group.members]
        assert by_node == sorted(by_node, key=by_node.index)  # ranks of a node are neighbours
        assert by_node.count(node.node_id) == 2
        for number in range(3):
            group.step(batch(number))
        cluster.remove_node(node, allow_graceful=False)
        done, began = 3, time.monotonic()
        while group.size == 4:  # its workers die when they miss it
            check(group.step(batch(done)), done + 1)
            done += 1
        assert time.monotonic() - began <= 6
        assert group.size == 2
        assert len(events.named("worker_lost")) == 2
        check(group.step(batch(done)), done + 1)
        # Ray 2.60 takes a core for each place that it seeks room for in vain.
        states = {place["state"] for place in ray.util.placement_group_table().values()}
        assert states == {"CREATED", "PENDING", "REMOVED"}


def test_a_node_that_stands_still_is_left_behind(cluster):
    """What a partition looks like from the controller's side of it."""
    node, events = add_node(cluster), Recorder()
    with spread(3, events, heartbeat_s=1.5) as group:
        for number in range(3):
            group.step(batch(number))
        there = [m.pid for m in group.members if m.node == node.node_id]
        stopped = processes_of(node)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        check(group.step(batch(3)), 4)
        assert time.monotonic() - began <= 10
        assert sorted(e["pid"] for e in events.named("worker_lost")) == sorted(there)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        check(group.step(batch(4)), 5)
        wait_until(lambda: not any(map(is_alive, there)), seconds=20)


def test_the_group_grows_when_nodes_come(cluster):
    events = Recorder()
    with spread(2, events, max=3) as group:
        group.step(batch(0))
        add_node(cluster)
        number = 1
        deadline = time.monotonic() + 60
        while group.size < 3:
            results = group.step(batch(number))
            number += 1
            time.sleep(0.1)
            assert time.monotonic() < deadline
        check(group.step(batch(number)), number + 1)
        assert len(events.named("worker_joined")) == 1
        assert len(results) in (2, 3)


def drain(cluster, node):
    command = ["drain-node", "--address", cluster.address, "--node-id", node.node_id]
    command += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
    command += ["--deadline-remaining-seconds", "60"]
    ray_command = Path(sys.executable).with_name("ray")
    subprocess.run([ray_command, *command], check=True, capture_output=True)


def test_who_is_on_a_node_that_will_be_taken_leaves_in_time(cluster):
    node, events = add_node(cluster), Recorder()
    with spread(2, events) as group:
        group.step(batch(0))
        drain(cluster, node)
        number, deadline = 1, time.monotonic() + 30
        while not events.named("worker_joined"):  # on the node that is left
            group.step(batch(number))
            number += 1
            time.sleep(0.1)
            assert time.monotonic() < deadline
        check(group.step(batch(number)), number + 1)
        assert node.node_id not in [member.node for member in group.members]
        assert group.size == 2
        assert len(events.named("worker_left")) == 1
        assert not events.named("worker_lost")


def test_a_full_object_store_does_not_hold_up_a_recovery(cluster):
    full = [ray.put(torch.zeros(MEMORY // 3, dtype=torch.uint8).numpy()) for _ in range(4)]
    events = Recorder()
    with spread(2, events) as group:
        group.step(batch(0))
        os.kill(group.members[1].pid, signal.SIGKILL)
        check(group.step(batch(1)), 2)
        assert len(events.named("recovered")) == 1
    assert len(full) == 4


def test_a_group_for_which_there_is_no_room_says_what_there_is(cluster):
    with pytest.raises(WorkerError, match=r"asked for 5 workers x {CPU: 1}.* cluster has {CPU: 2"):
        WorkerGroup(Summing, 5).__enter__()
    with pytest.raises(WorkerError, match=r"{CPU: 1, GPU: 1}, but the cluster has {CPU: 2"):
        WorkerGroup(Summing, 1, resources={"CPU": 1, "GPU": 1}).__enter__()
    assert ray.is_initialized()
