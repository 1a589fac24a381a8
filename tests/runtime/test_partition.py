"""A network that splits: two Ray nodes in two network namespaces, whose link is cut."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import ray
import torch
import torch.distributed as dist

from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup
from raylm.runtime.session import ray_session
from raylm.runtime.worker import Worker
from tests.clusters import free_port
from tests.processes import is_alive, wait_until

NAMESPACE, LINK, PEER = "raylm-other", "raylm-here", "raylm-there"
HERE, THERE = "10.231.77.1", "10.231.77.2"
RAY = Path(sys.executable).with_name("ray")


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


def can_split():
    """Leaves nothing behind: workers import this module, too."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(not can_split(), reason="network namespaces need root and iproute2"),
]


@pytest.fixture
def link():
    """Two addresses that reach each other until the link is cut."""
    commands = [
        ("netns", "add", NAMESPACE),
        ("link", "add", LINK, "type", "veth", "peer", "name", PEER),
        ("link", "set", PEER, "netns", NAMESPACE),
        ("addr", "add", f"{HERE}/24", "dev", LINK),
        ("link", "set", LINK, "up"),
        ("-n", NAMESPACE, "addr", "add", f"{THERE}/24", "dev", PEER),
        ("-n", NAMESPACE, "link", "set", PEER, "up"),
        ("-n", NAMESPACE, "link", "set", "lo", "up"),
    ]
    for command in commands:
        done = ip(*command)
        assert done.returncode == 0, done.stderr
    yield
    ip("netns", "delete", NAMESPACE)
    ip("link", "delete", LINK)


def set_link(state):
    ip("-n", NAMESPACE, "link", "set", PEER, state)


@contextmanager
def ray_node(*words, prefix=()):
    """In the foreground of a process that ends it."""
    process = subprocess.Popen(
        [*prefix, RAY, "start", "--block", "--num-cpus=2", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "RAY_AUTH_MODE": "disabled"},
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(link):
    ray.shutdown()
    address = f"{HERE}:{free_port()}"
    memory = f"--object-store-memory={100 * 2**20}"
    head = ["--head", f"--port={address.split(':')[1]}", "--include-dashboard=false"]
    head += [f"--node-ip-address={HERE}", memory]
    other = [f"--address={address}", f"--node-ip-address={THERE}", memory]
    with ray_node(*head):
        wait_until(lambda: answers(address))
        with (
            ray_node(*other, prefix=("ip", "netns", "exec", NAMESPACE)),
            ray_session(address),
        ):
            wait_until(lambda: len(ray.nodes()) == 2)
            yield


def answers(address):
    host, port = address.split(":")
    with suppress(OSError):
        socket.create_connection((host, int(port)), 1).close()
        return True
    return False


class Writing(Worker):
    """Adds what it is given over the ranks, and writes down each step it has done."""

    def __init__(self, folder):
        self.folder = folder

    def setup(self):
        self.total = torch.zeros(4)

    def snapshot(self):
        return {"total": (0, 4, self.total)}

    def restore(self, snapshot):
        self.total = snapshot["total"][2]

    def step(self, number):
        value = torch.full((4,), float(number)) / self.world_size
        dist.all_reduce(value)  # of the user's own: the library cannot reach into it
        self.total += value
        with (self.folder / str(os.getpid())).open("a") as file:
            file.write(f"{number}\n")
        return self.total[0].item()


def test_the_controllers_side_goes_on_and_the_other_one_stops(cluster, tmp_path):
    lost = []

    def note(event, **fields):
        if event == "worker_lost":
            lost.append(fields["pid"])

    elastic = Elastic(heartbeat_s=2.0)
    with WorkerGroup(
        Writing,
        4,
        args=(tmp_path,),
        elastic=elastic,
        strategy="SPREAD",
        timeout_s=60,
        on_event=note,
    ) as group:
        here = ray.get_runtime_context().get_node_id()
        others = [member.pid for member in group.members if member.node != here]
        assert len(others) == 2
        for number in range(3):
            group.step(number)
        set_link("down")
        began = time.monotonic()
        assert group.step(3) == [6.0, 6.0]
        assert time.monotonic() - began < 15  # a collective's limit is 60
        assert sorted(lost) == sorted(others)
        assert group.step(4) == [10.0, 10.0]
        set_link("up")
        wait_until(lambda: not any(map(is_alive, others)))
        done = group.step(5)
        assert set(done) == {15.0}
    for pid in others:
        assert (tmp_path / str(pid)).read_text().split() == ["0", "1", "2"]
