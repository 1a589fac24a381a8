"""All kernels of the table, compiled by as many processes as there are cores."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

import torch

from benchmarks.gpu.row import Draw, Row
from benchmarks.gpu.table import ROWS


def compile_all(
    names: Sequence[str], capability: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows' names with the resources of their kernels. What is compiled for the GPU that is
    there lies in Triton's cache, where those who launch it find it."""
    os.environ.pop("TRITON_INTERPRET", None)
    workers = min(len(names), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_compile, names, [capability] * len(names))


def _compile(name: str, capability: int) -> tuple[str, list[dict[str, Any]]]:
    import raylm_kernels.catalog as catalog
    import raylm_kernels.triton.catalog  # noqa: F401
    from raylm_kernels.triton.resources import compiled_for, nvidia

    row: Row = next(row for row in ROWS if row.name == name)
    entry = catalog.registry.entry(row.op)
    args = entry.complete(row.arguments(Draw(torch.device("meta"))))
    with compiled_for(nvidia(capability)) as kernels:
        entry.implementations["triton"].function(*args)
    return [asdict(kernel) for kernel in kernels]
