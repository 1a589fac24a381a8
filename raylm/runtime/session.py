"""Ray, started quietly for this program or joined where an address is given."""

import logging
import os
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray._private.ray_logging import stdout_deduplicator

from raylm.core.errors import UsageError

JOIN_TIMEOUT_S = 5.0
_OBJECT_STORE_BYTES = 512 * 2**20
_TOLD_BY_THE_GROUP = re.compile(
    "^(A worker died or was killed|Raylet is terminated|The node with node id)"
)
_SMALLEST_OBJECT_STORE_BYTES = 80 * 2**20  # Ray refuses less


@contextmanager
def ray_session(address: str | None = None, *, cpus: int = 1) -> Iterator[None]:
    """Ray for the length of a block.

    A session that is already running is used and left running. Otherwise `address` (or
    RAY_ADDRESS) is joined, or a private Ray with at least `cpus` logical CPUs is started,
    and shut down at the end.
    """
    if ray.is_initialized():
        yield
        return
    # A survivor's error, once its peer's death has been raised, is nobody's to retrieve.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    # Ray otherwise hides every GPU from actors without one, and warns that it will stop doing so.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if (cluster := cluster_address(address)) is None:
        _start(cpus)
    else:
        _join(cluster)
    try:
        yield
    finally:
        ray.shutdown()


def cluster_address(address: str | None) -> str | None:
    """The cluster `address` or RAY_ADDRESS names; None where a private Ray is meant."""
    found = address or os.environ.get("RAY_ADDRESS")
    return None if found in ("", "local") else found


def node_address() -> str:
    """The IPv4 address under which other nodes reach this one."""
    return str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]


def _start(cpus: int) -> None:
    _init(
        address="local",
        num_cpus=max(cpus, os.cpu_count() or 1),
        object_store_memory=_object_store_bytes(),
        include_dashboard=False,
    )


def _join(address: str) -> None:
    if ":" in address:  # Ray itself tries for 80 s and then exits the interpreter
        _require_listener(address)
    try:
        _init(address=address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"cannot join the Ray cluster at {address!r}: {reason}") from error


def _init(**options: Any) -> None:
    """Ray takes SIGTERM for itself, also from who has a handler for it; and it prints a page for
    each dead worker or node, of which the group tells in a line."""
    stdout_deduplicator.skip_re = stdout_deduplicator.skip_re or _TOLD_BY_THE_GROUP
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    if callable(handler) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def _require_listener(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=JOIN_TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster answers at {address!r} ({error}); start one with "
            "`ray start --head` or leave the address out"
        ) from error


def _object_store_bytes() -> int:
    """Within /dev/shm where it is small (64 MB in a plain container), for Ray warns otherwise."""
    if not Path("/dev/shm").is_dir():
        return _OBJECT_STORE_BYTES
    room = int(shutil.disk_usage("/dev/shm").free * 0.8)
    return max(_SMALLEST_OBJECT_STORE_BYTES, min(_OBJECT_STORE_BYTES, room))
