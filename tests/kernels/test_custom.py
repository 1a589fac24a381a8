"""A user's own C++ and CUDA: built once, found again, and refused in one clear line."""

import ctypes
import os
import subprocess
import sys
from ctypes import c_float, c_int, c_void_p
from pathlib import Path

import pytest
import torch

from raylm_kernels import custom
from raylm_kernels.cpu import build

SAXPY = """
#include "scale.h"
extern "C" __attribute__((visibility("default")))
void saxpy(float a, const float* x, float* y, int n) {
    for (int i = 0; i < n; ++i) y[i] += SCALE * a * x[i];
}
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kernels"


@pytest.fixture
def saxpy(tmp_path):
    (tmp_path / "scale.h").write_text("#define SCALE 1\n")
    source = tmp_path / "saxpy.cpp"
    source.write_text(SAXPY)
    return source


def call(library: ctypes.CDLL) -> list[float]:
    floats = ctypes.c_float * 3
    y = floats(1, 1, 1)
    library.saxpy(ctypes.c_float(2), floats(1, 2, 3), y, 3)
    return list(y)


@pytest.mark.usefixtures("compiled")
def test_builds_once_and_again_when_a_header_changes(cache, saxpy, monkeypatch):
    assert call(custom.load_cpp("saxpy", [saxpy])) == [3, 5, 7]
    (library,) = cache.glob("saxpy-*.so")
    built = library.stat().st_mtime_ns
    with monkeypatch.context() as patch:
        patch.setenv("CXX", "no-such-compiler")  # a cached library needs none
        assert call(custom.load_cpp("saxpy", [saxpy])) == [3, 5, 7]
    assert library.stat().st_mtime_ns == built
    saxpy.with_name("scale.h").write_text("#define SCALE 10\n")
    assert call(custom.load_cpp("saxpy", [saxpy])) == [21, 41, 61]
    assert len(list(cache.glob("saxpy-*.so"))) == 2


def test_a_missing_compiler_is_named(cache, saxpy, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(custom.BuildError, match=r"needs a C\+\+20 compiler .*no-such-compiler"):
        custom.load_cpp("saxpy", [saxpy])


@pytest.mark.usefixtures("compiled")
def test_the_compilers_first_error_is_shown_and_nothing_is_left(cache, saxpy):
    saxpy.write_text('extern "C" int broken() { return missing; }\n')
    with pytest.raises(custom.BuildError, match=r"could not build saxpy: .*missing"):
        custom.load_cpp("saxpy", [saxpy])
    assert not list(cache.glob("*.so"))


@pytest.mark.usefixtures("compiled")
def test_a_damaged_library_is_rebuilt(cache, saxpy, monkeypatch, tmp_path):
    custom.load_cpp("saxpy", [saxpy])
    (library,) = cache.glob("saxpy-*.so")
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(tmp_path / "other"))
    damaged = custom.cache_dir() / library.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(bytes(len(library.read_bytes())))
    assert call(custom.load_cpp("saxpy", [saxpy])) == [3, 5, 7]


def test_an_unwritable_cache_is_reported(saxpy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(custom.BuildError, match="set RAYLM_CACHE_DIR"):
        custom.load_cpp("saxpy", [saxpy])


RACER = """
import sys
from pathlib import Path
from raylm_kernels.custom import load_cpp
load_cpp("saxpy", [Path(sys.argv[1])])
"""


@pytest.mark.usefixtures("compiled")
def test_processes_that_race_build_once(cache, saxpy, tmp_path):
    compiler = tmp_path / "counting-c++"
    log = tmp_path / "calls"
    compiler.write_text(
        f'#!/bin/sh\necho call >> {log}\nsleep 0.3\nexec {custom.compiler()} "$@"\n'
    )
    compiler.chmod(0o755)
    environment = {**os.environ, "CXX": str(compiler)}
    racers = [
        subprocess.Popen([sys.executable, "-c", RACER, str(saxpy)], env=environment)
        for _ in range(3)
    ]
    assert [racer.wait(60) for racer in racers] == [0, 0, 0]
    assert log.read_text().count("call") == 1


def test_available_gives_the_reason_when_there_is_no_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYLM_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", "no-such-compiler")
    build._available.cache_clear()
    build.library.cache_clear()
    try:
        works, reason = build.available()
    finally:
        build._available.cache_clear()
        build.library.cache_clear()
    assert not works
    assert "no-such-compiler" in reason


def test_an_unknown_instruction_set_is_named():
    with pytest.raises(
        ValueError, match="isa is 'sse9'; it must be one of avx512_vnni, avx2, portable"
    ):
        build.library("sse9")


def test_kernel_sources_are_packaged():
    assert {"decoder.cpp", "simd.h"} <= {path.name for path in Path(build.SOURCES).iterdir()}


SAXPY_CU = Path(__file__).with_name("saxpy.cu")
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.fixture
def no_toolkit(tmp_path, monkeypatch):
    """A machine on which there is no nvcc, neither installed nor in a wheel."""
    for name in ("NVCC", "CUDA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(custom, "CUDA_HOME", str(tmp_path))
    monkeypatch.setattr(custom, "find_spec", lambda name: None)


@pytest.fixture
def saxpy_library(cache):
    if custom.cuda_compiler() is None:
        pytest.skip("needs nvcc")
    library = custom.load_cuda("saxpy", [SAXPY_CU])
    library.saxpy.argtypes = [c_float, *[c_void_p] * 4, c_int, c_void_p]
    return library


def launch(library: ctypes.CDLL, a: float, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    out, workspace = torch.empty_like(x), torch.empty_like(x)
    pointers = [t.data_ptr() for t in (x, y, out, workspace)]
    assert library.saxpy(a, *pointers, x.numel(), torch.cuda.current_stream().cuda_stream) == 0
    return out


def write_program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("no_toolkit")
def test_a_missing_cuda_compiler_is_named_with_the_remedy(cache, monkeypatch):
    with pytest.raises(
        custom.BuildError, match=r"saxpy needs the CUDA compiler \(nvcc not found\); set NVCC .*pip"
    ):
        custom.load_cuda("saxpy", [SAXPY_CU])
    monkeypatch.setenv("NVCC", "no-such-nvcc")
    with pytest.raises(custom.BuildError, match=r"\(no-such-nvcc not found\)"):
        custom.load_cuda("saxpy", [SAXPY_CU])


@pytest.mark.usefixtures("no_toolkit")
def test_nvcc_is_found_in_its_order(tmp_path, monkeypatch):
    wheels = type("Spec", (), {"submodule_search_locations": [str(tmp_path / "nvidia")]})
    monkeypatch.setattr(custom, "find_spec", {"nvidia": wheels}.get)
    expected = []
    for home in ("nvidia/cu13", "usual", "home", "path", "named"):
        expected.append(str(write_program(tmp_path / home / "bin/nvcc", "exit 1")))
    found = [custom.cuda_compiler()]
    monkeypatch.setattr(custom, "CUDA_HOME", str(tmp_path / "usual"))
    found.append(custom.cuda_compiler())
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "home"))
    found.append(custom.cuda_compiler())
    monkeypatch.setenv("PATH", str(tmp_path / "path/bin"))
    found.append(custom.cuda_compiler())
    monkeypatch.setenv("NVCC", str(tmp_path / "named/bin/nvcc"))
    found.append(custom.cuda_compiler())
    assert found == expected


@pytest.mark.parametrize(
    ("devices", "flags", "expected"),
    [
        ([], [], ["-gencode=arch=compute_80,code=compute_80"]),
        (
            [(9, 0), (8, 0), (9, 0)],
            ["--use_fast_math"],
            [
                "-gencode=arch=compute_80,code=sm_80",
                "-gencode=arch=compute_90,code=sm_90",
                "--use_fast_math",
            ],
        ),
        ([(9, 0)], ["-arch=sm_90a"], ["-arch=sm_90a"]),
    ],
)
def test_cuda_is_compiled_for_the_devices(cache, tmp_path, monkeypatch, devices, flags, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(devices))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(devices))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: devices[device])
    log = tmp_path / "call"
    script = f'echo "$@" > {log}; echo "nvcc fatal   : Unsupported gpu" >&2; exit 1'
    monkeypatch.setenv("NVCC", str(write_program(tmp_path / "bin/nvcc", script)))
    with pytest.raises(custom.BuildError, match=r"build saxpy: nvcc fatal .*Unsupported"):
        custom.load_cuda("saxpy", [SAXPY_CU], flags=flags)
    words = log.read_text().split()
    assert words[words.index(custom.CUDA_FLAGS[-1]) + 1 : words.index(str(SAXPY_CU))] == expected
    assert not list(cache.glob("*.so"))


def test_cuda_builds_and_each_architecture_has_its_own_library(cache, saxpy_library, monkeypatch):
    assert saxpy_library.saxpy
    monkeypatch.setenv("NVCC", "no-such-nvcc")
    assert custom.load_cuda("saxpy", [SAXPY_CU]).saxpy
    with pytest.raises(custom.BuildError, match="no-such-nvcc"):
        custom.load_cuda("saxpy", [SAXPY_CU], flags=["-arch=sm_90a"])


@pytest.mark.gpu
@on_gpu
def test_cuda_runs_on_the_current_stream(saxpy_library):
    x, y = torch.randn(2, 10_007, device="cuda")
    filled, stream = torch.zeros_like(y), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        torch.cuda._sleep(100_000_000)  # a kernel on another stream would find `filled` empty
        filled.copy_(y)
        found = launch(saxpy_library, 3.0, x, filled)
    stream.synchronize()
    assert torch.equal(found, 3.0 * x + y)


@pytest.mark.gpu
@on_gpu
def test_cuda_runs_in_a_graph(saxpy_library):
    x, y = torch.randn(2, 10_007, device="cuda")
    launch(saxpy_library, 3.0, x, y)  # loads the kernels, which a capture may not
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = launch(saxpy_library, 3.0, x, y)
    x.normal_()
    y.normal_()
    graph.replay()
    assert torch.equal(found, 3.0 * x + y)
