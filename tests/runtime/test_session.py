import socket
import time

import pytest
import ray

from raylm.core.errors import UsageError
from raylm.runtime.session import cluster_address, ray_session

pytestmark = pytest.mark.ray


def test_a_dead_address_is_refused_within_seconds():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.shutdown()
    start = time.monotonic()
    with pytest.raises(UsageError, match=f"no Ray cluster answers at '127.0.0.1:{port}'"):
        ray_session(f"127.0.0.1:{port}").__enter__()
    assert time.monotonic() - start < 6


def test_a_running_session_is_used_and_left_running(ray_cluster):
    with ray_session(cpus=999):
        assert ray.cluster_resources()["CPU"] == 8
    assert ray.is_initialized()


def test_an_address_comes_from_the_argument_or_the_environment(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert cluster_address(None) is None
    assert cluster_address("local") is None
    assert cluster_address("auto") == "auto"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert cluster_address(None) == "10.0.0.1:6379"
    assert cluster_address("local") is None
