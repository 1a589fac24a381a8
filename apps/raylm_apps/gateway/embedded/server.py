"""One server program as a child process: started, awaited, stopped."""

import contextlib
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

from raylm.core.errors import StoreError
from raylm_apps.gateway.embedded.launcher import Launcher, dying_with_parent

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.01


class Server(ABC):
    name: str
    stop_signal: signal.Signals
    """The signal that makes it shut down at once, but cleanly."""

    def __init__(self, folder: Path, log: Path, launcher: Launcher) -> None:
        self.folder = folder
        self._log = log
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Create what the first start needs."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def is_ready(self) -> bool: ...

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start and wait until it answers; a crash just before may need a second try."""
        self.prepare()
        deadline = time.monotonic() + READY_TIMEOUT_S
        attempts_left = 5
        self.spawn()
        while not self.is_ready():
            if not self.running:
                attempts_left -= 1
                if not attempts_left:
                    raise StoreError(f"{self.name} did not start: {self._last_words()}")
                time.sleep(0.2)  # children of a killed server need a moment to leave
                self.spawn()
            if time.monotonic() > deadline:
                self.stop()
                raise StoreError(f"{self.name} did not answer within {READY_TIMEOUT_S:.0f} s")
            time.sleep(POLL_S)

    def spawn(self) -> None:
        """Start without waiting, in its own session so that Ctrl-C reaches only its parent."""
        self.stop_orphans()
        command = (*dying_with_parent(self.stop_signal.name[3:]), *self.command())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._launcher.command(*command),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        if self._process is None:
            return
        if self.running:
            self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def stop_orphans(self) -> None:
        """End a server that outlived its parent: the folder's lock says that it is nobody's."""
        program = Path(self.command()[0]).resolve()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        stop_signal = self.stop_signal
        while orphans := _serving(self.folder, program):
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, stop_signal)
            time.sleep(0.1)
            if time.monotonic() > deadline:
                stop_signal = signal.SIGKILL

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def _serving(folder: Path, program: Path) -> list[int]:
    """The processes of that program whose working folder is the data folder."""
    pids = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder and (process / "exe").readlink() == program:
                pids.append(int(process.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # gone meanwhile, or another user's
    return pids
