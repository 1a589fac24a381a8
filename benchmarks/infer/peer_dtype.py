"""The floating point format in which a peer is fastest on this CPU."""

from pathlib import Path

_CPU = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"avx512_bf16", "amx_bf16", "bf16"}  # of x86 and of Arm


def fast_dtype(cpu: str | None = None) -> str:
    """`bfloat16` where the CPU multiplies it, else `float32`: emulated it is much slower."""
    flags = set((_CPU.read_text() if cpu is None else cpu).split())
    return "bfloat16" if flags & _INSTRUCTIONS else "float32"
