"""`raylm serve` in a process of its own."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from raylm_apps.deploy.ports import free_ports

RAYLM = Path(sys.executable).parent / "raylm"
SHARED = {"RAY_AUTH_MODE": "disabled"}


class Serve:
    """One `raylm serve`."""

    def __init__(self, log: Path, *options: str, **environment: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        words = [str(RAYLM), "serve", "--port", str(self.port), *options]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                words, stdout=output, stderr=output, env=os.environ | SHARED | environment
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        while text not in self.said:
            assert self.process.poll() is None, self.said
            time.sleep(0.1)

    def wait_for_child(self, name: str) -> None:
        while not any(name in " ".join(child.cmdline()) for child in self.family()):
            assert self.process.poll() is None, self.said
            time.sleep(0.05)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
