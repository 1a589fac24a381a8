"""Ray for several files, and a cluster with a dashboard, to which jobs are submitted."""

import os
import socket
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from raylm.runtime.session import ray_session


def keep_ray(request, cpus):
    """A private Ray until the folder's last test; in between, `ray.shutdown` makes room.

    A start with its first workers takes 5 s and more.
    """
    if not ray.is_initialized():
        stack = ExitStack()
        stack.enter_context(ray_session(cpus=cpus))
        request.node.parent.addfinalizer(stack.close)


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
