"""Build and bind the C++ kernels for this machine's best instruction set."""

import functools
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from ctypes import (
    CDLL,
    POINTER,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

from raylm_kernels.cpu.binding import (
    BatchStruct,
    FindingStruct,
    LogitsStruct,
    QuantizedRowsStruct,
    ShapeStruct,
    ShareStruct,
    SparseShapeStruct,
)
from raylm_kernels.custom import BuildError, load_cpp

SOURCES = Path(__file__).parent / "csrc"

# No -march=native: the cache may be shared by machines. No contraction: what is fused is written.
COMMON_FLAGS = ("-ffp-contract=off", "-fno-math-errno", "-Wno-psabi")
ISA_FLAGS: Mapping[str, tuple[str, ...]] = {
    "avx512_vnni": ("-march=x86-64-v4", "-mavx512vnni"),
    "avx2": ("-march=x86-64-v3",),
    "portable": (),
}

_AVX2 = {"avx2", "fma", "f16c", "bmi1", "bmi2", "movbe", "abm"}
_AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"}
_chosen: ContextVar[str | None] = ContextVar("isa", default=None)
_NEEDS = {"avx512_vnni": _AVX2 | _AVX512, "avx2": _AVX2, "portable": set[str]()}


def isas() -> list[str]:
    """The instruction sets this machine has, the fastest first."""
    return [isa for isa, needs in _NEEDS.items() if needs <= _cpu_flags()]


def best_isa() -> str:
    return _chosen.get() or isas()[0]


@contextmanager
def using(isa: str) -> Iterator[None]:
    """Inside, the kernels are those of an instruction set that is not the best. Raises ValueError
    where this machine does not have it."""
    if isa not in isas():
        raise ValueError(f"isa is {isa!r}; this machine has {', '.join(isas())}")
    token = _chosen.set(isa)
    try:
        yield
    finally:
        _chosen.reset(token)


def available() -> tuple[bool, str]:
    """Whether the kernels can be used here, and the instruction set, or why they cannot.

    The first call on a machine compiles (under 90 s), later ones find the library in the cache.
    """
    return _available(best_isa())


@functools.cache
def _available(isa: str) -> tuple[bool, str]:
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


@functools.cache
def _cpu_flags() -> set[str]:
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return set()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split())
    return set()


def _declare(lib: CDLL) -> None:
    pointer, size, done = c_void_p, c_int32, c_bool
    lib.raylm_instruction_set.restype = c_char_p
    lib.raylm_last_error.restype = c_char_p
    rows = POINTER(QuantizedRowsStruct)
    shape = POINTER(ShapeStruct)
    _function(lib, "decoder_create", pointer, shape, *[size] * 4)
    _function(lib, "decoder_free", None, pointer)
    _function(lib, "decoder_weight_bytes", c_size_t, pointer)
    _function(lib, "decoder_read", c_uint64, pointer, size)
    _function(lib, "decoder_load_rows", done, pointer, *[size] * 4, rows)
    _function(lib, "decoder_load_vector", done, pointer, size, size, pointer, size)
    _function(lib, "decoder_share", done, pointer, size, size, POINTER(ShareStruct))
    batch, logits, finding = POINTER(BatchStruct), POINTER(LogitsStruct), POINTER(FindingStruct)
    _function(lib, "decoder_forward", done, pointer, batch, logits, finding)
    _function(lib, "linear_create", pointer, *[size] * 4, rows)
    _function(lib, "linear_free", None, pointer)
    _function(lib, "linear_weight_bytes", c_size_t, pointer)
    _function(lib, "linear_read", done, pointer, size, POINTER(c_uint64))
    _function(lib, "peak_products", done, size, POINTER(c_double))
    _function(lib, "linear_forward", done, pointer, pointer, size, pointer)
    _function(lib, "quantize", done, pointer, size, size, pointer, pointer)
    _function(lib, "rope", done, *[pointer] * 3, c_float, *[size] * 3)
    _function(lib, "attention", done, *[pointer] * 4, *[size] * 8, pointer)
    _declare_training(lib)


def _declare_training(lib: CDLL) -> None:
    pointer, size, count, real, done = c_void_p, c_int32, c_int64, c_float, c_bool
    rows = count, size, real
    _function(lib, "rms_norm", done, *[pointer] * 3, *rows, pointer, pointer, size)
    _function(lib, "rms_norm_backward", done, *[pointer] * 5, *rows, pointer, pointer, size)
    _function(lib, "swiglu", done, pointer, pointer, count, pointer, size)
    _function(lib, "swiglu_backward", done, *[pointer] * 3, count, pointer, pointer, size)
    row = POINTER(count)
    _function(lib, "cross_entropy", done, *[pointer] * 2, count, count, pointer, row, size)
    inputs = [pointer] * 3
    _function(
        lib, "cross_entropy_gradient", done, *inputs, count, count, pointer, pointer, row, size
    )
    _function(lib, "adamw_step", done, *[pointer] * 4, count, *[real] * 8, size)
    _function(lib, "lion_step", done, *[pointer] * 3, count, *[real] * 4, size)
    _function(lib, "squared_norm", done, pointer, count, POINTER(c_double), size)
    shape = POINTER(SparseShapeStruct)
    _function(lib, "sparse_attention", done, shape, *[pointer] * 6, size)
    _function(lib, "sparse_attention_backward", done, shape, *[pointer] * 11, size)


def _function(lib: CDLL, name: str, result: Any, *arguments: Any) -> None:
    """One that says whether it was done, or returns what it made, raises MemoryError where it was
    not: inside, only memory and threads can be lacking."""
    function = getattr(lib, f"raylm_{name}")
    function.restype, function.argtypes = result, arguments
    if result in (c_bool, c_void_p):

        def require(found: Any, *_: Any) -> Any:
            if not found:
                raise MemoryError(f"{name}: {lib.raylm_last_error().decode()}")
            return found

        function.errcheck = require
