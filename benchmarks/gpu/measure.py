"""How long a row takes on the GPU, beside its rivals and what the GPU can do at best."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import triton

from benchmarks.gpu.row import Arguments, Draw, Row
from raylm_kernels import catalog
from raylm_kernels.comparison import distance
from raylm_kernels.implementation import REFERENCE, Implementation


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Bytes a second of a copy, read and written; operations a second of a bf16 product."""

    copy: float
    matmul: float


@dataclass(frozen=True, slots=True)
class Result:
    op: str
    shape: str
    implementation: str
    microseconds: float
    of_copy: float | None
    of_matmul: float | None
    times: Mapping[str, float]
    error: float | None
    reference_error: float | None
    missed: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def ceilings() -> Ceilings:
    device = torch.device("cuda")
    source = torch.randn(2**30, dtype=torch.bfloat16, device=device)
    copied = torch.empty_like(source)
    copy = 2 * source.nbytes / seconds(lambda: copied.copy_(source))
    a, b = (torch.randn(8192, 8192, dtype=torch.bfloat16, device=device) for _ in range(2))
    return Ceilings(copy, 2 * 8192**3 / seconds(lambda: a @ b))


def seconds(call: Callable[[], Any]) -> float:
    """The median, of calls that find the cache of the GPU cold."""
    found = triton.testing.do_bench(call, warmup=20, rep=60, return_mode="median")
    return float(found) / 1e3


def recorded(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call's kernels without what the host needs to launch them, which is more than a small
    product takes. Raises where a call cannot be recorded."""
    call()  # compiles, and takes workspaces, which a recording may not
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def recorded_if_possible(call: Callable[[], Any]) -> Callable[[], Any]:
    """A rival may read values of the device while it runs."""
    try:
        return recorded(call)
    except (RuntimeError, torch.AcceleratorError):
        torch.cuda.synchronize()
        return call


def implementation(row: Row) -> Implementation:
    return catalog.registry.entry(row.op).implementations[row.implementation]


def measured(row: Row, best: Ceilings) -> Result:
    args = catalog.registry.entry(row.op).complete(row.arguments(Draw(torch.device("cuda"))))
    one = implementation(row)
    if obstacle := one.obstacle(args):
        raise RuntimeError(f"{row.name}: {row.implementation} {obstacle}")
    error, reference_error = _errors(row, args) if row.is_checked else (None, None)
    took = seconds(recorded(lambda: one.function(*args)))
    times = {
        name: seconds(recorded_if_possible(lambda rival=rival: rival(*args))) / took
        for name, rival in row.rivals.items()
    }
    of_copy = row.nbytes / took / best.copy if row.nbytes else None
    of_matmul = row.flops / took / best.matmul if row.flops else None
    return Result(
        op=row.op,
        shape=row.shape,
        implementation=row.implementation,
        microseconds=took * 1e6,
        of_copy=of_copy,
        of_matmul=of_matmul,
        times=times,
        error=error,
        reference_error=reference_error,
        missed=_missed(row, of_copy, of_matmul, times),
    )


def _missed(
    row: Row, of_copy: float | None, of_matmul: float | None, times: Mapping[str, float]
) -> tuple[str, ...]:
    missed = []
    if row.of_copy is not None and (of_copy or 0.0) < row.of_copy:
        missed.append(f"{row.of_copy} of copy")
    if row.of_matmul is not None and (of_matmul or 0.0) < row.of_matmul:
        missed.append(f"{row.of_matmul} of matmul")
    missed += [
        f"{least:.2f} x {rival}" for rival, least in row.times.items() if times[rival] < least
    ]
    return tuple(missed)


def _errors(row: Row, args: Arguments) -> tuple[float, float]:
    """How far the kernel's results are from those of the reference in fp32, and how far the
    reference's are in the dtypes of the arguments. Of an op that changes its arguments, what it
    has changed is compared."""
    entry = catalog.registry.entry(row.op)
    reference = entry.implementations[REFERENCE].function

    def results(function: Callable[..., Any], given: Arguments) -> list[torch.Tensor]:
        own = [_clone(arg) for arg in given]
        returned = function(*own)
        changed = [own[place] for place in entry.mutates]
        return [t.float() for t in _flat([returned, changed])]

    wanted = results(reference, tuple(_in_fp32(arg) for arg in args))
    return (
        _worst(results(implementation(row).function, args), wanted),
        _worst(results(reference, args), wanted),
    )


def _worst(found: list[torch.Tensor], wanted: list[torch.Tensor]) -> float:
    return max(
        (distance(one, other) for one, other in zip(found, wanted, strict=True)), default=0.0
    )


def _in_fp32(arg: Any) -> Any:
    if isinstance(arg, list | tuple):
        return [_in_fp32(item) for item in arg]
    is_half = isinstance(arg, torch.Tensor) and arg.dtype in (torch.bfloat16, torch.float16)
    return arg.float() if is_half else arg


def _flat(values: Any) -> list[torch.Tensor]:
    if isinstance(values, list | tuple):
        return [tensor for value in values for tensor in _flat(value)]
    return [values] if isinstance(values, torch.Tensor) else []


def _clone(arg: Any) -> Any:
    if isinstance(arg, list | tuple):
        return [_clone(item) for item in arg]
    return arg.clone() if isinstance(arg, torch.Tensor) else arg
