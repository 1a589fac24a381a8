"""The room a group has in a cluster: as its strategy wants it, and no longer than it is wanted."""

from collections import Counter

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util import placement_group_table

from raylm.core.errors import WorkerError
from raylm.core.schema import Elastic
from raylm.runtime.group import WorkerGroup
from raylm.runtime.places import Places
from raylm.runtime.resources import Placement
from raylm.runtime.session import ray_session
from raylm.runtime.worker import Worker
from tests.processes import wait_until

pytestmark = pytest.mark.ray

MEMORY = 100 * 2**20


@pytest.fixture(scope="module")
def two_nodes():
    ray.shutdown()
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 4, "object_store_memory": MEMORY}
    )
    cluster.add_node(num_cpus=4, object_store_memory=MEMORY)
    cluster.wait_for_nodes()
    with ray_session(cluster.address):
        yield
    cluster.shutdown()


class Idle(Worker):
    def snapshot(self):
        return {}

    def restore(self, snapshot): ...

    def step(self, indices): ...


@pytest.mark.parametrize(("strategy", "by_node"), [("PACK", [4]), ("SPREAD", [2, 2])])
def test_places_are_laid_out_by_the_strategy(two_nodes, strategy, by_node):
    wait_until(lambda: free_cpus() == 8)
    places = Places(Placement(4, {"CPU": 1}, strategy), is_lasting=False)
    places.reserve(30.0)
    nodes = Counter(
        node
        for place in places.free
        for node in placement_group_table(place)["bundles_to_node_id"].values()
    )
    assert list(nodes.values()) == by_node
    places.close()


def test_room_for_all_or_none(two_nodes):
    wait_until(lambda: free_cpus() == 8)
    taken = Places(Placement(5, {"CPU": 1}), is_lasting=False)
    taken.reserve(30.0)
    wait_until(lambda: free_cpus() == 3)
    places = Places(Placement(4, {"CPU": 1}), is_lasting=False)
    with pytest.raises(WorkerError, match=r"4 workers x \{CPU: 1\} within 1 s: free are"):
        places.reserve(1.0)
    assert not places.free
    taken.close()
    wait_until(lambda: free_cpus() == 8)


def test_room_that_somebody_else_takes_meanwhile(two_nodes, monkeypatch):
    wait_until(lambda: free_cpus() == 8)
    other, places = (Places(Placement(5, {"CPU": 1}), is_lasting=False) for _ in range(2))
    nodes = places._lay_out(30.0)
    other.reserve(30.0)
    monkeypatch.setattr(places, "_lay_out", lambda timeout_s: nodes)
    with pytest.raises(WorkerError, match="5 workers"):
        places.reserve(1.0)
    other.close()
    wait_until(lambda: free_cpus() == 8)  # the late one has kept none


def test_a_smaller_group_gives_its_room_back(two_nodes):
    wait_until(lambda: free_cpus() == 8)
    with WorkerGroup(Idle, 2, elastic=Elastic(), timeout_s=30) as group:
        group.step(0)
        group.resize(1)
        wait_until(lambda: free_cpus() == 7)
    wait_until(lambda: free_cpus() == 8)


def free_cpus():
    return ray.available_resources().get("CPU")
