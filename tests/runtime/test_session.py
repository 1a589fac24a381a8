import socket
import time

import pytest
import ray

from raylm.core.errors import UsageError
from raylm.runtime.session import ray_session

pytestmark = pytest.mark.ray


def test_a_dead_address_is_refused_within_seconds():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(UsageError, match=f"no Ray cluster answers at '127.0.0.1:{port}'"):
        ray_session(f"127.0.0.1:{port}").__enter__()
    assert time.monotonic() - start < 6


def test_a_running_session_is_used_and_left_running(ray_cluster):
    with ray_session(cpus=999):
        assert ray.cluster_resources()["CPU"] == 8
    assert ray.is_initialized()
