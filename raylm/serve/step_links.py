"""Sockets between an engine and its workers: one message to all, answers from some.

A call through Ray takes a millisecond, a message here a tenth of that. A worker that dies closes
its socket, so its death is known at once, whoever else waits for what.
"""

import hmac
import secrets
import select
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_LENGTH = struct.Struct("<I")
_RANK = struct.Struct("<I")
_TOKEN_BYTES = 16
_HELLO_S = 5.0  # a stranger that says nothing is not waited for any longer


class LostWorkerError(ConnectionError):
    def __init__(self, rank: int) -> None:
        super().__init__(f"worker {rank} has closed its connection")
        self.rank = rank


@dataclass(frozen=True, slots=True)
class Address:
    """`token`: who knows it is a worker."""

    host: str
    port: int
    token: bytes


class Links:
    """The engine's end. Not thread-safe, but for `close`."""

    def __init__(self, host: str) -> None:
        self._listener = socket.create_server((host, 0))
        self.address = Address(
            host, self._listener.getsockname()[1], secrets.token_bytes(_TOKEN_BYTES)
        )
        self._links: dict[int, socket.socket] = {}  # by rank
        self._ranks: dict[int, int] = {}  # by the number of the open file
        self._poll = select.poll()

    def accept(self, timeout_s: float) -> bool:
        """Whether a worker has come; raises TimeoutError where nobody has."""
        self._listener.settimeout(timeout_s)
        link, _ = self._listener.accept()
        link.settimeout(_HELLO_S)
        try:
            hello = _receive(link, _TOKEN_BYTES + _RANK.size)
        except (OSError, EOFError):
            hello = bytearray(_TOKEN_BYTES + _RANK.size)
        if not hmac.compare_digest(hello[:_TOKEN_BYTES], self.address.token):
            link.close()
            return False
        (rank,) = _RANK.unpack(hello[_TOKEN_BYTES:])
        link.settimeout(None)
        _send_at_once(link)
        self._links[rank] = link
        self._ranks[link.fileno()] = rank
        self._poll.register(link, select.POLLIN)
        return True

    def send(self, message: bytes) -> None:
        """To every worker. Raises LostWorkerError."""
        framed = _LENGTH.pack(len(message)) + message
        for rank, link in self._links.items():
            try:
                link.sendall(framed)
            except OSError:
                raise LostWorkerError(rank) from None

    def receive(self, answers: Mapping[int, memoryview], timeout_s: float) -> None:
        """Fill the memory of every rank that answers. Raises LostWorkerError as soon as any worker
        is lost, and TimeoutError naming the ranks that have not answered in time."""
        missing = dict(answers)
        deadline = time.monotonic() + timeout_s
        while missing:
            ready = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                ranks = ", ".join(map(str, missing))
                raise TimeoutError(f"no answer from worker {ranks} within {timeout_s:g} s")
            for number, _ in ready:
                rank = self._ranks[number]
                if rank not in missing:  # nothing but its end is to come
                    raise LostWorkerError(rank)
                missing[rank] = self._fill(rank, missing[rank])
                if not missing[rank]:
                    del missing[rank]

    def close(self) -> None:
        """The workers come out of waiting for a message."""
        self._listener.close()
        for link in list(self._links.values()):
            _end(link)

    def _fill(self, rank: int, memory: memoryview) -> memoryview:
        """What is left to be filled."""
        try:
            received = self._links[rank].recv_into(memory)
        except OSError:
            received = 0
        if not received:
            raise LostWorkerError(rank)
        return memory[received:]


class Link:
    """A worker's end."""

    def __init__(self, address: Address, rank: int, timeout_s: float) -> None:
        self._link = socket.create_connection((address.host, address.port), timeout_s)
        self._link.settimeout(None)
        _send_at_once(self._link)
        self._link.sendall(address.token + _RANK.pack(rank))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._link.close()

    def receive(self) -> bytearray | None:
        """The next message; None when the engine has gone."""
        try:
            (length,) = _LENGTH.unpack(_receive(self._link, _LENGTH.size))
            return _receive(self._link, length)
        except (OSError, EOFError):
            return None

    def send(self, answer: memoryview) -> None:
        self._link.sendall(answer)


def _receive(link: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    memory = memoryview(data)
    while memory:
        received = link.recv_into(memory)
        if not received:
            raise EOFError("connection closed")
        memory = memory[received:]
    return data


def _send_at_once(link: socket.socket) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _end(link: socket.socket) -> None:
    """Also for a thread that waits in it."""
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side has gone before
        pass
    finally:
        link.close()
