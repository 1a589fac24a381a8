"""The table of the GPU's kernels, as far as it can be judged without one."""

import importlib.metadata
import json
import subprocess
import sys

import pytest

from benchmarks.gpu.__main__ import RECORDED
from benchmarks.gpu.compiling import compile_all
from benchmarks.gpu.table import ROWS
from raylm_kernels import catalog

MOST_SPILLED = 64  # bytes a thread: what attention's largest tiles keep out of their loops
triton_version = importlib.metadata.version("triton")


def test_every_forward_implementation_in_triton_has_a_row():
    entries = map(catalog.registry.entry, catalog.registry.ops())
    in_triton = {
        (entry.name, name)
        for entry in entries
        for name in entry.implementations
        if name.startswith("triton") and not entry.name.endswith("_backward")
    }
    assert in_triton
    assert in_triton - {(row.op, row.implementation) for row in ROWS} == set()


def test_rows_have_names_of_their_own():
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))


def test_the_list_tells_each_row_and_its_bar():
    command = [sys.executable, "-m", "benchmarks.gpu", "--list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for row, line in zip(ROWS, told.splitlines(), strict=True):
        assert row.op in line
        assert row.bars() in line


def test_kernels_take_no_more_of_a_gpu_than_is_recorded():
    recorded = json.loads(RECORDED.read_text())
    if recorded["triton"] != triton_version:
        pytest.skip(f"recorded with Triton {recorded['triton']}, found {triton_version}")
    assert recorded["rows"].keys() == {row.name for row in ROWS}, (
        "record them: python -m benchmarks.gpu --resources"
    )
    for name, kernels in compile_all([row.name for row in ROWS], 90):
        assert kernels == recorded["rows"][name]
        assert all(kernel["spilled"] <= MOST_SPILLED for kernel in kernels), name
