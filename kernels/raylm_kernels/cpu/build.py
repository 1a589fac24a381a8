"""Build and bind the C++ kernels for this machine's best instruction set."""

import functools
import platform
from collections.abc import Mapping
from ctypes import CDLL, POINTER, c_bool, c_char_p, c_float, c_int32, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from raylm_kernels.cpu.binding import BatchStruct, FindingStruct, QuantizedRowsStruct, ShapeStruct
from raylm_kernels.custom import BuildError, load_cpp

SOURCES = Path(__file__).parent / "csrc"

# No -march=native: the cache may be shared by machines. No contraction: what is fused is written.
COMMON_FLAGS = ("-ffp-contract=off", "-fno-math-errno", "-Wno-psabi")
ISA_FLAGS: Mapping[str, tuple[str, ...]] = {
    "avx512_vnni": ("-march=x86-64-v4", "-mavx512vnni"),
    "portable": (),
}

_AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}


def best_isa() -> str:
    return "avx512_vnni" if _cpu_flags() >= _AVX512 else "portable"


@functools.cache
def available() -> tuple[bool, str]:
    """Whether the kernels can be used here, and the instruction set, or why they cannot.

    The first call on a machine compiles (under 90 s), later ones find the library in the cache.
    """
    isa = best_isa()
    try:
        library(isa)
    except BuildError as error:
        return False, str(error)
    return True, isa


@functools.cache
def library(isa: str) -> CDLL:
    """The kernels for one instruction set; raises BuildError."""
    if isa not in ISA_FLAGS:
        raise ValueError(f"isa is {isa!r}; it must be one of {', '.join(ISA_FLAGS)}")
    sources = sorted(SOURCES.glob("*.cpp"))
    loaded = load_cpp(f"cpu-{isa}", sources, flags=(*COMMON_FLAGS, *ISA_FLAGS[isa]))
    _declare(loaded)
    return loaded


def _cpu_flags() -> set[str]:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return set()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


def _declare(lib: CDLL) -> None:
    pointer, size = c_void_p, c_int32
    lib.raylm_instruction_set.restype = c_char_p
    lib.raylm_last_error.restype = c_char_p
    _function(lib.raylm_decoder_create, pointer, POINTER(ShapeStruct), *[size] * 3)
    _function(lib.raylm_decoder_free, None, pointer)
    _function(lib.raylm_decoder_weight_bytes, c_size_t, pointer)
    _function(lib.raylm_decoder_read, c_uint64, pointer)
    rows = POINTER(QuantizedRowsStruct)
    _function(lib.raylm_decoder_load_rows, None, pointer, *[size] * 4, rows)
    _function(lib.raylm_decoder_load_vector, None, pointer, size, size, pointer, size)
    batch, finding = POINTER(BatchStruct), POINTER(FindingStruct)
    _function(lib.raylm_decoder_forward, c_bool, pointer, batch, pointer, finding)
    _function(lib.raylm_linear_create, pointer, *[size] * 4, rows)
    _function(lib.raylm_linear_free, None, pointer)
    _function(lib.raylm_linear_weight_bytes, c_size_t, pointer)
    _function(lib.raylm_linear_read, c_uint64, pointer)
    _function(lib.raylm_linear_forward, None, pointer, pointer, size, pointer)
    _function(lib.raylm_rms_norm, None, pointer, pointer, size, size, c_float, pointer)
    _function(lib.raylm_quantize, None, pointer, size, size, pointer, pointer)
    _function(lib.raylm_rope, None, *[pointer] * 3, c_float, *[size] * 3)
    _function(lib.raylm_swiglu, None, pointer, pointer, size, pointer)
    _function(lib.raylm_attention, None, *[pointer] * 4, *[size] * 7, pointer)


def _function(function: Any, result: Any, *arguments: Any) -> None:
    function.restype, function.argtypes = result, arguments
