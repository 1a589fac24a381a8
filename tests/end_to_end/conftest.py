"""A real `raylm up` in a process of its own, on a free port and a fresh data folder."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

RAYLM = Path(sys.executable).parent / "raylm"
START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 40


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Up:
    """One `raylm up`: its process, everything it printed, and how long it took to be ready."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    environment: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    ready_seconds: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        command = [RAYLM, "up", "--port", str(self.port), "--data-dir", self.data_dir, *options]
        started = time.monotonic()
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"RAY_AUTH_MODE": "disabled"} | self.environment,
        )
        ready = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        while not ready.wait(0.2):
            assert self.process.poll() is None, "".join(self.lines)
            assert time.monotonic() - started < START_TIMEOUT_S, "".join(self.lines)
        self.ready_seconds = time.monotonic() - started

    def _read(self, ready: threading.Event) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line)
                if line.startswith(f"RayLM is ready at {self.url}"):
                    ready.set()

    def family(self, containing: str = "") -> list[psutil.Process]:
        """Living processes below `raylm up` whose command line contains a text."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if containing in " ".join(process.cmdline()):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        return found

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        finally:
            self.process.kill()
            self._reader.join(STOP_TIMEOUT_S)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("data"), environment={"RAYLM_MOCK_PROVIDER": "1"})
    running.start()
    yield running
    running.stop()
