"""The order in which programs take the tiles of a product. Those that run at once share rows and
columns, which then lie in the L2 cache."""

import triton
import triton.language as tl


@triton.jit
def tile_at(place, tiles_m, tiles_n, GROUP: tl.constexpr):
    """The row and the column of tiles at a place of the order: so many rows go through the columns
    together."""
    group = place // (GROUP * tiles_n)
    height = tl.maximum(tl.minimum(tiles_m - group * GROUP, GROUP), 1)  # 1 beyond the last tile
    within = place % (GROUP * tiles_n)
    return group * GROUP + within % height, within // height


@triton.jit
def tile_of(place, M, N, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr):
    """The first row and the first column of the tile at a place of the order."""
    m, n = tile_at(place, tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N), 8)
    return m * BLOCK_M, n * BLOCK_N
