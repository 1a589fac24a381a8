"""Launches of very many programs: along x there may be 2^31 - 1, along y and z but 65535."""

import sys

import pytest
import torch

triton_catalog = pytest.importorskip("raylm_kernels.triton.catalog")

from raylm_kernels import catalog  # noqa: E402

MOST = 2**31 - 1, 65_535, 65_535
MANY = 2**21


def empty(*shape, dtype=torch.bfloat16):
    return torch.empty(shape, dtype=dtype, device="meta")


def integers(*shape):
    return empty(*shape, dtype=torch.int64)


def caches():
    return [empty(MANY, 2, 64) for _ in "kv"]


CALLS = {
    "paged_attention": (empty(MANY, 32, 64), *caches(), integers(MANY), integers(MANY)),
    "paged_decode_attention": (
        *(empty(MANY, 8, 64), *caches(), integers(MANY, 2), integers(MANY)),
        *(16, 0.0, 0.0),
    ),
    "permute_tokens": (empty(4, 2**29), integers(4, 2), 8),
    "unpermute_tokens": (empty(8, 2**29), integers(8), empty(4, 2)),
    "linear_rope_backward": (
        [empty(16, MANY, 64), empty(16, 2, 64), empty(16, 2, 64)],
        *(empty(16, 32), empty((MANY + 4) * 64, 32), None),
        *(integers(16), empty(32), MANY, 2, 1.0),
    ),
    "attention": (empty(MANY, 16, 8, 64), *(empty(MANY, 16, 2, 64) for _ in "kv"), None),
    "grouped_linear": (empty(2**25, 64), empty(8, 64, 64), integers(8)),
}


class Recorder:
    def __init__(self):
        self.grids = []

    def __getitem__(self, grid):
        self.grids.append(grid)
        return lambda *args, **kwargs: None


@pytest.fixture
def launches(monkeypatch):
    recorder = Recorder()
    for name, module in list(sys.modules.items()):
        if name.startswith("raylm_kernels.triton."):
            for kernel in [k for k in vars(module) if k.endswith("_kernel")]:
                monkeypatch.setattr(module, kernel, recorder)
    return recorder


@pytest.mark.parametrize("op", CALLS)
def test_a_grid_has_no_more_programs_than_there_may_be(op, launches):
    entry = catalog.registry.entry(op)
    entry.implementations["triton"].function(*entry.complete(CALLS[op]))
    assert any(grid[0] > MOST[1] for grid in launches.grids), "not many"
    for grid in launches.grids:
        assert all(size <= most for size, most in zip(grid, MOST, strict=False)), grid
