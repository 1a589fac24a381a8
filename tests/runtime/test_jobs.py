"""`raylm submit` on a real cluster: the program travels with the job."""

import os
import socket
import sys
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from raylm.core.errors import UsageError
from raylm.runtime.jobs import submit

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:ssl=None is deprecated"),  # in Ray's own client
]


@pytest.fixture(scope="module")
def dashboard():
    """Of a cluster that was started in this environment: its `python` is the one on the path."""
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{path}"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 4,
            "object_store_memory": 100 * 2**20,
            "include_dashboard": True,
            "dashboard_port": port,
        },
    )
    yield f"http://127.0.0.1:{port}"
    cluster.shutdown()
    os.environ["PATH"] = path


def test_a_command_runs_as_a_job_with_its_files(dashboard):
    log = []
    job = submit(["train", "--help"], dashboard, {"config.yaml": "name: mine\n"})
    assert job.follow(log.append) == "SUCCEEDED"
    assert "Train a model on Ray actors" in "".join(log)


def test_a_bad_config_fails_the_job_with_its_error(dashboard):
    log = []
    job = submit(["train", "config.yaml"], dashboard, {"config.yaml": "stepz: 3\n"})
    assert job.follow(log.append) == "FAILED"
    assert "stepz" in "".join(log)


def test_an_address_without_a_dashboard_is_named():
    with pytest.raises(UsageError, match=r"no Ray dashboard answers at 'http://127\.0\.0\.1:9'"):
        submit(["train"], "http://127.0.0.1:9", {})
