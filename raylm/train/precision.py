"""In which arithmetic to run the forward and backward pass, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

_CPU_FLAGS = ("amx_bf16", "avx512_bf16")


@dataclass(frozen=True, slots=True)
class Precision:
    """Parameters, gradients and the update stay float32; bf16 is what matrices multiply in."""

    name: Literal["fp32", "bf16"]
    reason: str

    @contextmanager
    def autocast(self, device: torch.device) -> Iterator[None]:
        with torch.autocast(device.type, torch.bfloat16, enabled=self.name == "bf16"):
            yield


def choose_precision(asked: Literal["auto", "fp32", "bf16"], device: torch.device) -> Precision:
    """`auto` takes bf16 where the hardware multiplies it, for elsewhere it is emulated slowly."""
    if asked != "auto":
        return Precision(asked, "as configured")
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bf16", "this GPU multiplies bf16")
        return Precision("fp32", "this GPU has no bf16 arithmetic")
    if flag := cpu_bf16_flag(_cpu_info()):
        return Precision("bf16", f"this CPU has {flag}")
    return Precision("fp32", f"this CPU has none of {', '.join(_CPU_FLAGS)}")


def cpu_bf16_flag(cpu_info: str) -> str | None:
    """The bf16 instructions that /proc/cpuinfo lists, None where it lists none."""
    flags = {word for line in cpu_info.splitlines() if _is_flags(line) for word in line.split()}
    return next((flag for flag in _CPU_FLAGS if flag in flags), None)


def _is_flags(line: str) -> bool:
    return line.lower().startswith(("flags", "features"))


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.is_file() else ""
