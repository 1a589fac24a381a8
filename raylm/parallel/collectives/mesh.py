"""Unix sockets between all ranks of one host: to pass memory, to meet, to notice a death.

A rank that dies closes its sockets, so that its peers learn of it at once. Addresses are in
the abstract namespace and memory travels as file descriptors: a killed rank leaves nothing
behind.
"""

import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Any, Self

from raylm.core.errors import CollectiveError, PeerLostError

GatherObjects = Callable[[Any], Sequence[Any]]
_NOTE_BYTES = 128


class Mesh:
    def __init__(self, rank: int, peers: dict[int, socket.socket], timeout_s: float) -> None:
        self.rank = rank
        self._peers = peers
        self._timeout_s = timeout_s
        self._meetings = 0

    @classmethod
    def join(
        cls, rank: int, world_size: int, gather_objects: GatherObjects, timeout_s: float
    ) -> Self:
        """Each rank connects to those below it and accepts those above."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.settimeout(timeout_s)
            listener.bind("\0raylm-" + os.urandom(16).hex())
            listener.listen(world_size)
            addresses = gather_objects(listener.getsockname())
            peers: dict[int, socket.socket] = {}
            for other in range(rank):
                peers[other] = _connect(addresses[other], rank, timeout_s)
            for _ in range(rank + 1, world_size):
                accepted, _address = listener.accept()
                accepted.settimeout(timeout_s)
                (other,) = struct.unpack("<I", _receive(accepted, 4))
                peers[other] = accepted
        return cls(rank, dict(sorted(peers.items())), timeout_s)

    def pass_descriptor(self, descriptor: int) -> dict[int, int]:
        """Give every peer an open file; the peers' files, for the caller to close."""
        for peer in self._peers.values():
            socket.send_fds(peer, [b"f"], [descriptor])
        received: dict[int, int] = {}
        for other, peer in self._peers.items():
            _message, descriptors, _flags, _address = socket.recv_fds(peer, 1, 1)
            if not descriptors:
                raise PeerLostError(f"rank {other} left while memory was shared", rank=other)
            received[other] = descriptors[0]
        return received

    def meet(self, what: str) -> None:
        """Returns when every rank has come here for the same thing.

        Raises CollectiveError when another rank came for something else or does not come
        within the timeout, and PeerLostError when it has died.
        """
        self._meetings += 1
        note = f"{self._meetings} {what}"[:_NOTE_BYTES].encode().ljust(_NOTE_BYTES)
        for other, peer in self._peers.items():
            self._guarded(other, what, lambda peer=peer: peer.sendall(note))
        for other, peer in self._peers.items():
            theirs = self._guarded(other, what, lambda peer=peer: _receive(peer, _NOTE_BYTES))
            if theirs != note:
                raise CollectiveError(
                    f"the ranks are at different operations: rank {self.rank} at "
                    f"'{note.decode().strip()}', rank {other} at '{theirs.decode().strip()}'; "
                    "every rank must use the same modules in the same order"
                )

    def close(self) -> None:
        for peer in self._peers.values():
            peer.close()

    def _guarded(self, other: int, what: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except TimeoutError:
            raise CollectiveError(
                f"rank {self.rank} waited {self._timeout_s:g} s for rank {other} in '{what}'"
            ) from None
        except (OSError, EOFError) as error:
            raise PeerLostError(
                f"rank {other} is gone (rank {self.rank} was in '{what}'): {error}", rank=other
            ) from None


def _connect(address: str, rank: int, timeout_s: float) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(timeout_s)
    peer.connect(address)
    peer.sendall(struct.pack("<I", rank))
    return peer


def _receive(peer: socket.socket, size: int) -> bytes:
    data = peer.recv(size, socket.MSG_WAITALL)
    while len(data) < size:  # MSG_WAITALL returns early when a signal comes
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError("connection closed")
        data += more
    return data
