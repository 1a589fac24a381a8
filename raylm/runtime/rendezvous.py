"""How ranks find each other: a store that outlives any of them, one key prefix per epoch.

The store lives with the driver, because a member may die at any time and would take the
store with it; a new epoch gets a new prefix, so that no late member of an old one can
meet the new group. Every wait has a deadline.
"""

import fcntl
import socket
import struct
from dataclasses import dataclass
from datetime import timedelta

from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

from raylm.collectives import connections
from raylm.collectives.meeting import ENDED, meet
from raylm.runtime.backend import Backend

_SIOCGIFADDR = 0x8915


@dataclass(frozen=True, slots=True)
class Invitation:
    """Everything a worker needs to join epoch `epoch` as `rank`."""

    host: str
    port: int
    epoch: int
    rank: int
    world_size: int
    local_world_size: int
    timeout_s: float


class Rendezvous:
    def __init__(self, host: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._store = TCPStore(
            host,
            0,
            is_master=True,
            wait_for_workers=False,
            timeout=timedelta(seconds=timeout_s),
        )
        self.epoch = -1

    def end_epoch(self) -> None:
        """Free who still waits for others in order to form a group."""
        if self.epoch >= 0:
            PrefixStore(_prefix(self.epoch), self._store).set(ENDED, "1")

    def next_epoch(self, local_world_sizes: list[int]) -> list[Invitation]:
        """One invitation per rank; entry r says how many ranks share the node of rank r."""
        self.epoch += 1
        return [
            Invitation(
                host=self._store.host,
                port=self._store.port,
                epoch=self.epoch,
                rank=rank,
                world_size=len(local_world_sizes),
                local_world_size=local,
                timeout_s=self._timeout_s,
            )
            for rank, local in enumerate(local_world_sizes)
        ]


def join(invitation: Invitation, backend: Backend) -> None:
    """Form this process's default group."""
    timeout = timedelta(seconds=invitation.timeout_s)
    rank, world_size = invitation.rank, invitation.world_size
    with connections.opening():
        store = PrefixStore(
            _prefix(invitation.epoch),
            TCPStore(invitation.host, invitation.port, is_master=False, timeout=timeout),
        )
        meet(store, "the epoch", rank, world_size, invitation.timeout_s)
        backend.form(store, rank, world_size, invitation.timeout_s)


def _prefix(epoch: int) -> str:
    return f"epoch-{epoch}"


def interface_of(address: str) -> str | None:
    """The network interface that holds an IPv4 address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                reply = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:  # an interface without an IPv4 address
                continue
            if socket.inet_ntoa(reply[20:24]) == address:
                return name
    return None
