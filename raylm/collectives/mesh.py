"""Unix sockets between all ranks of one host: to pass memory, to meet, to notice a death.

A rank that dies closes its sockets, so that its peers learn of it at once. Addresses are in
the abstract namespace and memory travels as file descriptors: a killed rank leaves nothing
behind.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

    def pass_descriptor(self, descriptor: int | None) -> dict[int, int]:
        """Give every peer an open file, or word that there is none; the files of those peers
        that have one, for the caller to close."""
        what = "the passing of memory"
        for other, peer in self._peers.items():
            with self._naming(other, what):
                if descriptor is None:
                    peer.sendall(b"-")
                else:
                    socket.send_fds(peer, [b"f"], [descriptor])
        received: dict[int, int] = {}
        for other, peer in self._peers.items():
            with self._naming(other, what):
                message, descriptors, _flags, _address = socket.recv_fds(peer, 1, 1)
                if not message:
                    raise EOFError("connection closed")
            if descriptors:
                received[other] = descriptors[0]
        return received

    def meet(self, what: str) -> None:
        """Returns when every rank has come here for the same thing.

        Raises CollectiveError when another rank came for something else or does not come
        within the timeout, and PeerLostError when it has died.
        """
        self._meetings += 1
        note = f"{self._meetings} {what}".encode()[:_NOTE_BYTES].ljust(_NOTE_BYTES)
        lost: list[PeerLostError] = []
        for other, peer in self._peers.items():
            try:
                with self._naming(other, what):
                    peer.sendall(note)
            except PeerLostError as error:  # the others wait for this rank all the same
                lost.append(error)
        if lost:
            raise lost[0]
        for other, theirs in self._notes(what):
            if theirs != note:
                raise CollectiveError(
                    f"the ranks are at different operations: rank {self.rank} at "
                    f"'{_text(note)}', rank {other} at '{_text(theirs)}'; "
                    "every rank must use the same modules in the same order"
                )

    def close(self) -> None:
        for peer in self._peers.values():
            peer.close()

    def _notes(self, what: str) -> Iterator[tuple[int, bytes]]:
        """As they come: whoever dies is noticed at once, however late the others are."""
        awaited = {peer.fileno(): other for other, peer in self._peers.items()}
        poll = select.poll()
        for descriptor in awaited:
            poll.register(descriptor, select.POLLIN)
        deadline = time.monotonic() + self._timeout_s
        while awaited:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                ranks = ", ".join(str(other) for other in awaited.values())
                raise CollectiveError(
                    f"rank {self.rank} waited {self._timeout_s:g} s for rank {ranks} in '{what}'"
                )
            for descriptor, _event in ready:
                poll.unregister(descriptor)
                other = awaited.pop(descriptor)
                with self._naming(other, what):
                    note = _receive(self._peers[other], _NOTE_BYTES)
                yield other, note

    @contextmanager
    def _naming(self, other: int, what: str) -> Iterator[None]:
        try:
            yield
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


def _text(note: bytes) -> str:
    return note.decode(errors="replace").strip()


def _receive(peer: socket.socket, size: int) -> bytes:
    data = peer.recv(size, socket.MSG_WAITALL)
    while len(data) < size:  # MSG_WAITALL returns early when a signal comes
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError("connection closed")
        data += more
    return data
