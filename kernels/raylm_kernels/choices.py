"""What was measured, kept on disk: which implementation is the fastest for a class of calls.

One file per machine: device names and versions are part of its name and written inside. Threads and
processes share it; what cannot be read is measured again, and what cannot be written is kept in
memory.
"""

import fcntl
import hashlib
import json
import os
import platform
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from raylm_kernels.custom import cache_dir

Times = Mapping[str, float]
"""Implementation -> seconds."""


class Choices:
    """`folder`: where the file is, by default the kernels' cache."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, float]] | None = None

    @property
    def path(self) -> Path:
        digest = hashlib.sha256(json.dumps(machine()).encode()).hexdigest()[:12]
        return (self._folder or cache_dir()) / f"choices-{digest}.json"

    def times(self, key: str) -> Times | None:
        """What was measured for a class of calls; None where nothing was."""
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return self._known.get(key)

    def remember(self, key: str, times: Times) -> None:
        with self._lock:
            self._known = {**(self._known or {}), key: dict(times)}
            try:
                self._write(key, times)
            except OSError as error:
                _warn_once(f"{self.path}: choices of kernels are not kept ({error})")

    def forget(self, prefix: str = "") -> None:
        """Measure again what begins like this."""
        with self._lock:
            with self._locked():
                kept = {k: t for k, t in self._read().items() if not k.startswith(prefix)}
                self._replace(kept)
            self._known = kept

    def _write(self, key: str, times: Times) -> None:
        with self._locked():
            self._known = {**self._read(), **(self._known or {}), key: dict(times)}
            self._replace(self._known)

    def _replace(self, choices: Mapping[str, Times]) -> None:
        draft = self.path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps({"machine": machine(), "seconds": choices}), encoding="utf-8")
        draft.replace(self.path)

    def _read(self) -> dict[str, dict[str, float]]:
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            _warn_once(f"{self.path} cannot be read ({error}); kernels are timed again")
            return {}
        if not _is_valid(stored):
            _warn_once(f"{self.path} is not of this machine, or damaged; kernels are timed again")
            return {}
        seconds: dict[str, dict[str, float]] = stored["seconds"]
        return seconds

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@cache
def machine() -> dict[str, str]:
    """What the times depend on."""
    found = {"cpu": _cpu(), "torch": torch.__version__}
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    for package in ("triton", "raylm"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _is_valid(stored: Any) -> bool:
    match stored:
        case {"machine": of, "seconds": dict() as seconds} if of == machine():
            times = [
                time
                for known in seconds.values()
                if isinstance(known, dict)
                for time in known.values()
            ]
            return all(isinstance(known, dict) for known in seconds.values()) and all(
                isinstance(time, float) for time in times
            )
    return False


@cache
def _warn_once(message: str) -> None:
    warnings.warn(message, stacklevel=2)
