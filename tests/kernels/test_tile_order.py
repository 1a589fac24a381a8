"""The order of tiles, as programs see it: each once, and at once those beside each other."""

import pytest
import torch

triton = pytest.importorskip("triton")
tl = triton.language
order = pytest.importorskip("raylm_kernels.triton.tile_order")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
BLOCK_M, BLOCK_N = 16, 32


@triton.jit
def places_kernel(out_ptr, M, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    row, column = order.tile_of(tl.program_id(0), M, N, BLOCK_M, BLOCK_N)
    tl.store(out_ptr + 2 * tl.program_id(0), row)
    tl.store(out_ptr + 2 * tl.program_id(0) + 1, column)


def tiles(down, across):
    """The rows and columns of tiles in their order, the last ones not full."""
    out = torch.full((down * across, 2), -1, dtype=torch.int32, device=DEVICE)
    M, N = down * BLOCK_M - 3, across * BLOCK_N - 5
    places_kernel[(down * across,)](out, M, N, BLOCK_M=BLOCK_M, BLOCK_N=BLOCK_N)
    return [(row // BLOCK_M, column // BLOCK_N) for row, column in out.tolist()]


@pytest.mark.parametrize(("down", "across"), [(1, 1), (1, 9), (8, 3), (9, 1), (19, 5)])
def test_each_tile_has_a_place(down, across):
    assert sorted(tiles(down, across)) == [(m, n) for m in range(down) for n in range(across)]


def test_tiles_that_are_computed_at_once_read_few_rows_and_columns():
    """64 tiles have 8 rows and 8 columns in common: row by row they would have 33."""
    found = tiles(24, 32)
    for first in range(0, len(found) - 64, 8):
        at_once = found[first : first + 64]
        rows, columns = (len(set(blocks)) for blocks in zip(*at_once, strict=True))
        is_in_two_groups = rows > 8
        assert rows + columns <= (24 if is_in_two_groups else 16)
