"""The connections of this process's groups, which can be ended from any thread.

gloo has no abort that frees a caller who waits for a silent peer; the end of its connections does.
"""

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")
_lock = threading.Lock()
_opened: set[int] = set()
_before: dict[object, frozenset[int]] = {}  # what was there when a group began to form


@contextmanager
def opening() -> Iterator[None]:
    """A group is formed inside: the connections that are made are its own."""
    group = object()
    with _lock:
        _before[group] = _names()
    try:
        yield
    finally:
        with _lock:
            _opened.update(_names() - _before.pop(group))


def end() -> None:
    """Whoever is in a collective, or forms a group, gets an error."""
    with _lock:
        ended, forming = frozenset(_opened), list(_before.values())
        _opened.clear()
    for name, number in _sockets():
        if name in ended or any(name not in before for before in forming):
            _shut_down(number)


def _names() -> frozenset[int]:
    return frozenset(name for name, _ in _sockets())


def _sockets() -> Iterator[tuple[int, int]]:
    """Of this process: a name that no other socket ever has, and the number of its open file."""
    if not _OPEN_FILES.is_dir():
        return
    with os.scandir(_OPEN_FILES) as files:
        for number in [int(file.name) for file in files]:
            with suppress(OSError):  # it has just been closed
                status = os.fstat(number)
                if stat.S_ISSOCK(status.st_mode):
                    yield status.st_ino, number


def _shut_down(number: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(number)) as shared:
        shared.getpeername()  # fails for one that listens, which gloo would not survive
        shared.shutdown(socket.SHUT_RDWR)
