"""`raylm` as a job of a real cluster: the program travels with it."""

import pytest
import ray

from raylm.core.errors import UsageError
from raylm.runtime.jobs import submit
from tests.clusters import cluster_with_dashboard

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:ssl=None is deprecated"),  # in Ray's own client
]


@pytest.fixture(scope="module")
def dashboard():
    ray.shutdown()
    with cluster_with_dashboard() as address:
        yield address


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
