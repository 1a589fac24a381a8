"""What kernels take of a GPU, compiled for one that need not be there.

with compiled_for(nvidia(90)) as kernels:
    swiglu(gate, up)  # tensors on "meta" do: nothing is launched
kernels[0].registers
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase
from triton.runtime.jit import JITFunction

_CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"


def nvidia(capability: int) -> GPUTarget:
    """90 stands for 9.0."""
    return GPUTarget("cuda", capability, 32)


@dataclass(frozen=True, slots=True)
class Resources:
    """`registers` of each thread; `spilled`: bytes of each thread that lie in memory instead;
    `shared`: bytes of each program."""

    kernel: str
    registers: int
    spilled: int
    shared: int
    warps: int


@contextmanager
def compiled_for(target: GPUTarget) -> Iterator[list[Resources]]:
    """Inside, launches compile and do no more; what was compiled is in the list at the end."""
    launch, compiled = JITFunction.run, {}

    def compile_only(self: Any, *args: Any, **kwargs: Any) -> Any:
        kernel = launch(self, *args, **(kwargs | {"warmup": True}))
        compiled[kernel.hash] = kernel
        return kernel

    found: list[Resources] = []
    triton.runtime.driver.set_active(_Absent(target))
    JITFunction.run = compile_only
    try:
        yield found
    finally:
        JITFunction.run = launch
        if torch.cuda.is_available():
            triton.runtime.driver.reset_active()
    found.extend(map(_resources, compiled.values()))


class _Absent(DriverBase):  # type: ignore[misc]
    """The driver of a GPU that is not there."""

    def __init__(self, target: GPUTarget) -> None:
        self._target = target

    @classmethod
    def is_active(cls) -> bool:
        return False

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("meta")

    def get_benchmarker(self) -> Any:
        raise RuntimeError("kernels that are only compiled cannot be timed")


def _resources(kernel: Any) -> Resources:
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        cubin.write(kernel.asm["cubin"])
        cubin.flush()
        command = [str(_CUOBJDUMP), "--dump-resource-usage", cubin.name]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    usage = {name: int(count) for name, count in re.findall(r"\b([A-Z]+):(\d+)", told)}
    return Resources(
        kernel.name,
        registers=usage["REG"],
        spilled=usage["STACK"],
        shared=kernel.metadata.shared,
        warps=kernel.metadata.num_warps,
    )
