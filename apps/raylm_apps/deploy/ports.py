"""Whether a port is free, and if not, which process has it."""

import errno
import socket
from pathlib import Path

from raylm.core.errors import InUseError, UsageError

LISTENING = "0A"  # the state's code in /proc/net/tcp


def require_free(host: str, port: int) -> None:
    """Raises InUseError naming the holder, UsageError for an address this machine lacks."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise UsageError(
                    f"cannot listen on {host}:{port}: {error.strerror}; choose another --host "
                    "or --port"
                ) from None
            holder = holder_of(port) or "another process"
            raise InUseError(
                f"port {port} is in use by {holder}; stop it or choose another with --port"
            ) from None


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def holder_of(port: int) -> str | None:
    """`NAME (process PID)`; None where /proc does not tell, as for another user's process."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(link.readlink()) in sockets for link in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                return f"{name} (process {process.name})"
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return None


def _listening_inodes(port: int) -> list[str]:
    inodes = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            local, state, inode = fields[1], fields[3], fields[9]
            if state == LISTENING and int(local.rpartition(":")[2], 16) == port:
                inodes.append(inode)
    return inodes
