"""`raylm up` with a real model over two workers, one of which is killed."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.end_to_end.conftest import Up

pytestmark = [pytest.mark.ray, pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

WORKER = "StageWorker"


@pytest.fixture
def split(tmp_path: Path) -> Iterator[Up]:
    config = tmp_path / "split.yaml"
    config.write_text("serve: {tensor_parallel: 2, threads: 1, max_model_len: 512}\n")
    up = Up(tmp_path / "data")
    up.start("--config", str(config))
    yield up
    up.stop()


def ask(up: Up) -> httpx.Response:
    messages = [{"role": "user", "content": "Name the capital of Italy."}]
    body = {"model": "smollm2", "messages": messages, "max_tokens": 8, "temperature": 0}
    return httpx.post(f"{up.url}/engine/v1/chat/completions", json=body, timeout=60)


def test_a_replica_whose_worker_was_killed_is_replaced_and_none_is_left(split: Up) -> None:
    assert "Rome" in ask(split).raise_for_status().text
    first = split.family(WORKER)
    assert len(first) == 2
    first[1].kill()
    killed = time.monotonic()
    failed = ask(split)
    assert failed.status_code >= 500
    assert time.monotonic() - killed < 5.0
    while not ask(split).is_success:
        assert time.monotonic() - killed < 120
        time.sleep(1)
    second = split.family(WORKER)
    assert len({process.pid for process in second} - {process.pid for process in first}) == 2
    assert split.stop() in (0, 130)
    psutil.wait_procs([*first, *second], timeout=20)
    assert not any(process.is_running() for process in [*first, *second])
