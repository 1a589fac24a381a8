"""Your own C++ and CUDA: compiled on first use, cached by content, and bound.

library = load_cpp("saxpy", [Path("saxpy.cpp")])
library.saxpy(...)                # an `extern "C"` function of saxpy.cpp
library = load_cuda("saxpy", [Path("saxpy.cu")])
"""

import ctypes
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch

CPP_FLAGS = ("-std=c++20", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")
CUDA_FLAGS = ("-std=c++20", "-O3", "-shared", "-Xcompiler=-fPIC,-fvisibility=hidden")
CUDA_HOME = "/usr/local/cuda"
_ERROR = re.compile(r"\b(error|fatal)\s*:")
_ARCHITECTURE_FLAGS = ("-arch", "--gpu-architecture", "-gencode", "--generate-code")


class BuildError(RuntimeError):
    """No compiler, or one that refused the sources; the message says what to do."""


def compiler() -> str | None:
    """The C++ compiler that `load_cpp` uses: $CXX, else the first of c++, g++, clang++."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next((found for name in names if (found := shutil.which(name))), None)


def cuda_compiler() -> str | None:
    """The nvcc that `load_cuda` uses: $NVCC, else the first on PATH, in $CUDA_HOME, in
    /usr/local/cuda or in a wheel of NVIDIA's."""
    if named := os.environ.get("NVCC"):
        return shutil.which(named)
    homes = [os.environ.get("CUDA_HOME") or CUDA_HOME, CUDA_HOME, *_wheel_homes()]
    names = ["nvcc", *(f"{home}/bin/nvcc" for home in homes)]
    return next((found for name in names if (found := shutil.which(name))), None)


def cache_dir(part: str = "kernels") -> Path:
    root = os.environ.get("RAYLM_CACHE_DIR")
    return (Path(root) if root else Path.home() / ".cache" / "raylm") / part


def load_cpp(name: str, sources: Sequence[Path], *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile `sources` into one shared library, unless the cache holds it, and load it.

    The cache key covers the sources, the headers beside them, the flags and the machine type.
    Exported functions need `extern "C"` and default visibility. Raises BuildError.
    """
    return _cached(name, sources, (*CPP_FLAGS, *flags), _cpp_command)


def load_cuda(name: str, sources: Sequence[Path], *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """`load_cpp` for CUDA, by nvcc: `pip install "cuda-toolkit[nvcc,crt,nvvm,cccl]"` is enough.

    Without `-arch` or `-gencode` in `flags` it is compiled for the devices of this machine; where
    there is none, to PTX for any from compute capability 8.0 on. The runtime is linked in.
    """
    chosen = any(flag.startswith(_ARCHITECTURE_FLAGS) for flag in flags)
    targets = () if chosen else _targets()
    return _cached(name, sources, (*CUDA_FLAGS, *targets, *flags), _cuda_command)


def _targets() -> tuple[str, ...]:
    if not torch.cuda.is_available():
        return ("-gencode=arch=compute_80,code=compute_80",)
    devices = range(torch.cuda.device_count())
    found = sorted({torch.cuda.get_device_capability(device) for device in devices})
    return tuple(f"-gencode=arch=compute_{m}{n},code=sm_{m}{n}" for m, n in found)


def _wheel_homes() -> list[Path]:
    namespace = find_spec("nvidia")
    roots = (namespace and namespace.submodule_search_locations) or []
    return [home for root in roots for home in sorted(Path(root).glob("cu*"), reverse=True)]


def _cpp_command(name: str) -> list[str]:
    program = compiler()
    if program is None:
        wanted = os.environ.get("CXX") or "c++, g++ or clang++"
        raise BuildError(f"building {name} needs a C++20 compiler ({wanted} not found on PATH)")
    return [program]


def _cuda_command(name: str) -> list[str]:
    program = cuda_compiler()
    if program is None:
        raise BuildError(
            f"building {name} needs the CUDA compiler ({os.environ.get('NVCC') or 'nvcc'} not "
            'found); set NVCC to its path, or pip install "cuda-toolkit[nvcc,crt,nvvm,cccl]"'
        )
    # the wheels of 13.0 have the runtime where their nvcc does not look
    return [program, f"-L{Path(program).resolve().parents[1] / 'lib'}"]


def _cached(
    name: str, sources: Sequence[Path], flags: Sequence[str], command: Callable[[str], list[str]]
) -> ctypes.CDLL:
    """`command(name)`: the compiler's call without `flags`; raises BuildError if there is none."""
    library = cache_dir() / f"{name}-{_key(sources, flags)}.so"

    def build() -> None:
        _compile(name, [*command(name), *flags, *map(str, sources)], library)

    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with _locked(library.with_suffix(".lock")):
            if not library.exists():
                build()
            try:
                return ctypes.CDLL(str(library))
            except OSError:  # damaged, or from a machine with another C library
                build()
                return ctypes.CDLL(str(library))
    except OSError as error:
        raise BuildError(
            f"{library.parent}: the kernel cache cannot be used ({error}); "
            "set RAYLM_CACHE_DIR to a writable folder"
        ) from error


def _key(sources: Sequence[Path], flags: Sequence[str]) -> str:
    beside = {path for source in sources for path in source.parent.iterdir()}
    headers = {path for path in beside if path.suffix in {".h", ".cuh"}}
    digest = hashlib.sha256(repr((tuple(flags), platform.machine())).encode())
    for path in [*sources, *sorted(headers)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Processes that want the same library at once build it once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(name: str, command: Sequence[str], library: Path) -> None:
    with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
        built = Path(scratch) / library.name
        done = subprocess.run(
            [*command, "-o", str(built)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            lines = done.stderr.splitlines()
            first = next((line for line in lines if _ERROR.search(line)), "no message")
            raise BuildError(f"{command[0]} could not build {name}: {first.strip()}")
        with built.open("rb+") as file:
            os.fsync(file)  # loading a library whose end is missing kills the process
        built.replace(library)
