"""In which arithmetic a model is trained, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

PrecisionName = Literal["fp32", "bf16", "fp16"]

DTYPES: dict[PrecisionName, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
_BF16_FLAGS = ("amx_bf16", "avx512_bf16", "bf16")  # the last is Arm's
_FP16_FLAGS = ("amx_fp16", "avx512_fp16")
_FLAG_LINES = ("flags", "features")  # x86 and Arm
_ARM_FP16_FLAGS = ("fphp", "asimdhp")  # scalar and vector: both are needed
_TENSOR_CORES = (7, 0)  # the compute capability since which a GPU multiplies fp16 fast


@dataclass(frozen=True, slots=True)
class Precision:
    """`autocast`: parameters, gradients and the update stay fp32; torch casts per operation."""

    name: PrecisionName
    autocast: bool
    reason: str

    @property
    def compute_dtype(self) -> torch.dtype:
        """In which matrices are multiplied."""
        return DTYPES[self.name]

    @property
    def parameter_dtype(self) -> torch.dtype:
        return torch.float32 if self.autocast else self.compute_dtype

    @property
    def needs_master(self) -> bool:
        """Whether the update needs an fp32 copy: small updates round away below it."""
        return self.parameter_dtype != torch.float32

    @property
    def scales_loss(self) -> bool:
        """fp16's gradients flow through its narrow exponent, autocast or not."""
        return self.name == "fp16"

    @contextmanager
    def autocast_context(self, device: torch.device) -> Iterator[None]:
        """Around a forward pass; does nothing without `autocast` or in fp32."""
        if not self.autocast or self.name == "fp32":
            yield
            return
        with torch.autocast(device.type, self.compute_dtype):
            yield


def choose_precision(
    asked: Literal["auto", "fp32", "bf16", "fp16"], autocast: bool, device: torch.device
) -> Precision:
    """`auto` takes bf16, else fp16, where the hardware multiplies it: emulation is slow."""
    if asked != "auto":
        return Precision(asked, autocast, "as configured")
    match device.type:
        case "cuda":
            name, reason = _best_of_gpu(device)
        case "cpu":
            name, reason = _best_of_cpu(_cpu_flags(_cpu_info()))
        case other:
            name, reason = "fp32", f"RayLM knows of no half-precision arithmetic on {other}"
    return Precision(name, autocast, reason)


def _best_of_gpu(device: torch.device) -> tuple[PrecisionName, str]:
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return "bf16", "this GPU multiplies bf16"
    if torch.cuda.get_device_capability(device) >= _TENSOR_CORES:
        return "fp16", "this GPU multiplies fp16 but not bf16"
    return "fp32", "this GPU has no fast bf16 or fp16 arithmetic"


def _best_of_cpu(flags: set[str]) -> tuple[PrecisionName, str]:
    if flag := next((flag for flag in _BF16_FLAGS if flag in flags), None):
        return "bf16", f"this CPU has {flag}"
    if flag := next((flag for flag in _FP16_FLAGS if flag in flags), None):
        return "fp16", f"this CPU has {flag} but no bf16"
    if flags.issuperset(_ARM_FP16_FLAGS):
        return "fp16", f"this CPU has {' and '.join(_ARM_FP16_FLAGS)} but no bf16"
    missing = (*_BF16_FLAGS, *_FP16_FLAGS, "+".join(_ARM_FP16_FLAGS))
    return "fp32", f"this CPU has none of {', '.join(missing)}"


def _cpu_flags(cpu_info: str) -> set[str]:
    """The words of the lines `flags` (x86) or `Features` (Arm) of /proc/cpuinfo."""
    lines = (line for line in cpu_info.splitlines() if line.lower().startswith(_FLAG_LINES))
    return {word for line in lines for word in line.split()}


def _cpu_info() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8") if path.is_file() else ""
