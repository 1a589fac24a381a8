"""`raylm serve` as users start it: a process of its own, real Ray, real HAProxy, a real model."""

import signal
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from raylm_apps.deploy.ports import require_free
from tests.apps.deploy.conftest import Serve

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

FREED_WITHIN_S = 0.1


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    running = Serve(tmp_path_factory.mktemp("serve") / "log")
    try:
        running.wait_for("RayLM is ready")
        yield running
    finally:
        running.end()


def test_a_client_who_leaves_frees_the_engine_through_haproxy(serve):
    body = {
        "model": "raylm/smollm2",
        "messages": [{"role": "user", "content": "Count to a thousand."}],
        "max_tokens": 4000,
        "ignore_eos": True,
        "stream": True,
    }
    waits = []
    with httpx.Client(base_url=serve.url, timeout=30) as watcher:
        for _ in range(3):  # the best of three: other work on the machine is not the matter here
            with (
                httpx.Client(base_url=serve.url, timeout=30) as client,
                client.stream("POST", "/v1/chat/completions", json=body) as answer,
            ):
                chunks = answer.iter_raw()
                next(chunks)
                load = watcher.get("/health").json()
                assert load["running"] == 1
                assert load["free_blocks"] < load["total_blocks"]
            left = time.perf_counter()
            while (load := watcher.get("/health").json())["running"]:
                assert time.perf_counter() - left < 10
            waits.append(time.perf_counter() - left)
            assert load["free_blocks"] == load["total_blocks"]
    assert min(waits) < FREED_WITHIN_S


def test_kill_9_frees_the_port(serve):
    names = {process: process.name() for process in serve.family()}
    haproxy = [process for process, name in names.items() if "haproxy" in name]
    replicas = [process for process, name in names.items() if "Serve" in name]
    assert haproxy
    assert replicas
    serve.end()
    _, alive = psutil.wait_procs(haproxy, timeout=10)
    assert alive == []
    require_free("127.0.0.1", serve.port)
    assert psutil.wait_procs(replicas, timeout=10)[1] == []


def test_sigterm_while_starting_leaves_nothing(tmp_path):
    starting = Serve(tmp_path / "log")
    try:
        starting.wait_for_child("ray::ServeController")
        family = starting.family()
        starting.process.send_signal(signal.SIGTERM)
        assert starting.process.wait(30) == 128 + signal.SIGTERM
        assert psutil.wait_procs(family, timeout=10)[1] == []
    finally:
        starting.end()


def test_an_unknown_model_is_one_line_and_exit_code_2(tmp_path):
    failing = Serve(tmp_path / "log", "--model", "smollm3")
    try:
        family: list[psutil.Process] = []
        while failing.process.poll() is None:
            family = failing.family() or family
            time.sleep(0.2)
        assert failing.process.returncode == 2
        (line,) = [line for line in failing.said.splitlines() if line.startswith("raylm:")]
        assert "smollm3" in line
        assert "Traceback" not in failing.said
        assert psutil.wait_procs(family, timeout=10)[1] == []
    finally:
        failing.end()
