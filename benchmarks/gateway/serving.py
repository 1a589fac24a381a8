"""A gateway over a database of a benchmark's own, and requests to it, timed."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from raylm_apps.deploy.ports import free_ports
from raylm_apps.gateway.accounts.session import Session, Signer
from raylm_apps.gateway.auth import COOKIE
from raylm_apps.gateway.embedded import StoreUrls

APP = ("raylm_apps.gateway.main:create_app", "--log-level", "warning", "--no-access-log")
SECRET = "benchmark"


@contextmanager
def gateway_for(user_id: str, urls: StoreUrls, folder: Path) -> Iterator[httpx.Client]:
    """A browser of that user, at a gateway that runs as a process of its own."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "uvicorn", "--factory", *APP, "--port", str(port)]
    variables = {
        "RAYLM_DATABASE_URL": urls.database_url,
        "RAYLM_REDIS_URL": urls.redis_url,
        "RAYLM_DATA_DIR": str(folder),
        "RAYLM_SECRET_KEY": SECRET,
        "RAYLM_LIMITS": "off",
        "RAYLM_MOCK_PROVIDER": "1",
    }
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
    token = Signer(SECRET.encode()).sign(Session(user_id, int(time.time())))
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", cookies={COOKIE: token}, timeout=60
        ) as client:
            _until_alive(client)
            yield client
    finally:
        process.terminate()
        process.wait()


def times_ms(client: httpx.Client, urls: Sequence[str], warm_up: int = 5) -> list[float]:
    taken = []
    for number, url in enumerate([*urls[:warm_up], *urls]):
        started = time.perf_counter()
        response = client.get(url)
        if number >= warm_up:
            taken.append(1000 * (time.perf_counter() - started))
        assert response.status_code == 200, response.text
    return taken


def p50_p95(taken: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(taken, n=20)
    return statistics.median(taken), cuts[-1]


def _until_alive(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.get("/health/live")
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
