from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from raylm.runtime.resources import Placement, describe, rank_order, threads_per_worker


def test_a_placement_says_what_is_missing():
    placement = Placement(4, {"CPU": 1, "GPU": 0.5})
    assert placement.shortage({"CPU": 4, "GPU": 2}) == {}
    assert placement.shortage({"CPU": 3}) == {"CPU": 1, "GPU": 2}
    assert placement.describe() == "4 workers x {CPU: 1, GPU: 0.5}"


def test_markers_and_bytes_are_left_out_of_descriptions():
    cluster = {"CPU": 2.0, "node:10.0.0.1": 1.0, "memory": 1e9, "object_store_memory": 1e8}
    cluster |= {"CPU_group_0_2481e6": 1.0, "bundle_group_2481e6": 1000.0}
    assert describe(cluster) == "{CPU: 2}"


@given(st.lists(st.sampled_from("abc"), min_size=1))
def test_ranks_of_one_node_are_neighbours(nodes):
    order = rank_order(nodes)
    assert sorted(order) == list(range(len(nodes)))
    ordered = [nodes[position] for position in order]
    changes = sum(left != right for left, right in pairwise(ordered))
    assert changes == len(set(nodes)) - 1
    assert ordered[0] == nodes[0]


def test_workers_share_the_cores_and_each_has_at_least_one_thread():
    assert threads_per_worker(8, 2) == 4
    assert threads_per_worker(2, 3) == 1
