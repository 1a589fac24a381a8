"""A user's own C++: built once, found again, and refused in one clear line."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
    build.available.cache_clear()
    build.library.cache_clear()
    try:
        works, reason = build.available()
    finally:
        build.available.cache_clear()
        build.library.cache_clear()
    assert not works
    assert "no-such-compiler" in reason


def test_an_unknown_instruction_set_is_named():
    with pytest.raises(ValueError, match="isa is 'sse9'; it must be one of avx512_vnni, portable"):
        build.library("sse9")


def test_kernel_sources_are_packaged():
    assert {"decoder.cpp", "simd.h"} <= {path.name for path in Path(build.SOURCES).iterdir()}
