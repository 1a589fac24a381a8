"""Your own C++: compiled by the system's compiler on first use, cached by content, and bound.

library = load_cpp("saxpy", [Path("saxpy.cpp")])
library.saxpy(...)                # an `extern "C"` function of saxpy.cpp
"""

import ctypes
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BASE_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")


class BuildError(RuntimeError):
    """No compiler, or one that refused the sources; the message says what to do."""


def compiler() -> str | None:
    """The C++ compiler that `load_cpp` uses: $CXX, else the first of c++, g++, clang++."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next((found for name in names if (found := shutil.which(name))), None)


def cache_dir() -> Path:
    root = os.environ.get("RAYLM_CACHE_DIR")
    return (Path(root) if root else Path.home() / ".cache" / "raylm") / "kernels"


def load_cpp(name: str, sources: Sequence[Path], *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile `sources` into one shared library, unless the cache holds it, and load it.

    The cache key covers the sources, the headers beside them, the flags and the machine type.
    Exported functions need `extern "C"` and default visibility. Raises BuildError.
    """
    library = cache_dir() / f"{name}-{_key(sources, flags)}.so"
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with _locked(library.with_suffix(".lock")):
            if not library.exists():
                _compile(name, sources, flags, library)
            return _load(name, sources, flags, library)
    except OSError as error:
        raise BuildError(
            f"{library.parent}: the kernel cache cannot be used ({error}); "
            "set RAYLM_CACHE_DIR to a writable folder"
        ) from error


def _load(name: str, sources: Sequence[Path], flags: Sequence[str], library: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(library))
    except OSError:  # damaged, or from a machine with another C library
        _compile(name, sources, flags, library)
        return ctypes.CDLL(str(library))


def _key(sources: Sequence[Path], flags: Sequence[str]) -> str:
    headers = {header for source in sources for header in source.parent.glob("*.h")}
    digest = hashlib.sha256(repr((BASE_FLAGS, tuple(flags), platform.machine())).encode())
    for path in [*sources, *sorted(headers)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Processes that want the same library at once build it once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(name: str, sources: Sequence[Path], flags: Sequence[str], library: Path) -> None:
    program = compiler()
    if program is None:
        wanted = os.environ.get("CXX") or "c++, g++ or clang++"
        raise BuildError(f"building {name} needs a C++20 compiler ({wanted} not found on PATH)")
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        built = Path(scratch) / library.name
        command = [program, *BASE_FLAGS, *flags, "-o", str(built), *map(str, sources)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.splitlines()
            first = next((line for line in lines if "error:" in line), "no message")
            raise BuildError(f"{program} could not build {name}: {first.strip()}")
        with built.open("rb+") as file:
            os.fsync(file)  # loading a library whose end is missing kills the process
        built.replace(library)
