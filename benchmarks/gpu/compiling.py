"""All kernels of the table, compiled by as many processes as there are cores."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

import torch

from benchmarks.gpu.row import Draw, Row
from benchmarks.gpu.table import ROWS

Compiled = list[dict[str, Any]]


def compile_all(names: Sequence[str], capability: int) -> Iterator[tuple[str, Compiled]]:
    """The rows' names with the resources of their kernels; raises what the first one raises that
    cannot be compiled. What is compiled for the GPU that is there lies in Triton's cache, where
    those who launch it find it."""
    for name, future in _begun(names, capability):
        yield name, future.result()


def compile_what_can_be(names: Sequence[str], capability: int) -> None:
    """Those that cannot will say so when they are launched."""
    for _, future in _begun(names, capability):
        future.exception()


def _begun(names: Sequence[str], capability: int) -> Iterator[tuple[str, Future[Compiled]]]:
    workers = max(1, min(len(names), os.cpu_count() or 1))
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    with _without_interpreter(), pool:
        futures = [pool.submit(_compile, name, capability) for name in names]
        yield from zip(names, futures, strict=True)


@contextmanager
def _without_interpreter() -> Iterator[None]:
    """For processes that are started inside."""
    kept = os.environ.pop("TRITON_INTERPRET", None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ["TRITON_INTERPRET"] = kept


def _compile(name: str, capability: int) -> Compiled:
    import raylm_kernels.catalog as catalog
    import raylm_kernels.triton.catalog  # noqa: F401
    from raylm_kernels.triton.resources import compiled_for, nvidia

    row: Row = next(row for row in ROWS if row.name == name)
    entry = catalog.registry.entry(row.op)
    args = entry.complete(row.arguments(Draw(torch.device("meta"))))
    with compiled_for(nvidia(capability)) as kernels:
        entry.implementations[row.implementation].function(*args)
    return [asdict(kernel) for kernel in kernels]
