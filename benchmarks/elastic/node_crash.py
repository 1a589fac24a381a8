"""From the crash of a node to the survivors' next new step: two nodes of two workers each.

    python -m benchmarks.elastic.node_crash [--crashes 10]

The raylet is killed; Ray is told to look at its nodes twice a second.
"""

import argparse
import statistics
import time
from collections.abc import Sequence

from ray.cluster_utils import Cluster

from benchmarks.elastic.arena import Arena, arena
from raylm.runtime.session import ray_session

WORKERS, CPUS_OF_A_NODE = 4, 2
STORE_BYTES = 100 * 2**20
BAR_S = 6.0
HEALTH_CHECKS = {
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crashes", type=int, default=10)
    options = parser.parse_args(arguments)
    head = {
        "num_cpus": CPUS_OF_A_NODE,
        "object_store_memory": STORE_BYTES,
        "_system_config": HEALTH_CHECKS,
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        with ray_session(cluster.address):
            report(crashes(cluster, options.crashes))
    finally:
        cluster.shutdown()


def crashes(cluster: Cluster, count: int) -> list[float]:
    node = add_node(cluster)
    found = []
    with arena(WORKERS, 10_000, zero__stage=3) as ring:
        for _ in range(count):
            for _ in range(3):
                next(ring.updates)
            crashed_at = time.monotonic()
            cluster.remove_node(node, allow_graceful=False)
            await_recovery(ring)
            found.append(time.monotonic() - crashed_at)
            node = add_node(cluster)
            ring.refill(WORKERS)
    return found


def add_node(cluster: Cluster) -> object:
    node = cluster.add_node(num_cpus=CPUS_OF_A_NODE, object_store_memory=STORE_BYTES)
    cluster.wait_for_nodes()
    return node


def await_recovery(ring: Arena) -> None:
    """Step until the crashed node's workers are gone and a step has been finished without."""
    expected = next(ring.updates).step
    while ring.group.size > WORKERS - CPUS_OF_A_NODE:
        expected += 1
        assert next(ring.updates).step == expected, "a step was lost"


def report(seconds: Sequence[float]) -> None:
    verdict = "met" if max(seconds) <= BAR_S else "missed"
    print(
        f"{len(seconds)} crashes of a node: next new step after {statistics.median(seconds):.2f} s "
        f"(longest {max(seconds):.2f} s, bar {BAR_S:g}), no step lost: {verdict}"
    )


if __name__ == "__main__":
    main()
