"""A Ray cluster with a dashboard, to which jobs are submitted."""

import os
import socket
import sys
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster


@contextmanager
def cluster_with_dashboard():
    """The dashboard's address. As with a cluster that was started in this environment, its
    `python` is the one on the path."""
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    port = free_port()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 4,
            "object_store_memory": 100 * 2**20,
            "include_dashboard": True,
            "dashboard_port": port,
            "dashboard_agent_listen_port": free_port(),
        },
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        cluster.shutdown()
        os.environ["PATH"] = path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
