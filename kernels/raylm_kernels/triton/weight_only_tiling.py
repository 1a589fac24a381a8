"""Tiles of products with weights that are made 16-bit floats in registers."""

from typing import NamedTuple

from raylm_kernels.triton.capacity import Gpu
from raylm_kernels.triton.gemm import cdiv
from raylm_kernels.triton.splits import splits_of

_STEP = 128  # inputs


class Tiling(NamedTuple):
    block_m: int
    block_n: int
    warps: int
    stages: int
    splits: int
    has_weight_first: bool


def tiling(rows: int, outputs: int, inputs: int, bits: int, gpu: Gpu) -> Tiling:
    """Up to 32 rows it is the weights' bytes that take time, so that many programs read them."""
    if bits == 32:
        return Tiling(16 if rows <= 16 else 64, 64, 4, 2, 1, False)
    steps = cdiv(inputs, _STEP)
    if rows <= 32:
        splits = splits_of(cdiv(outputs, 128), steps, gpu.processors)
        return Tiling(16 if rows <= 16 else 32, 128, 4, 4, splits, False)
    if rows <= 128 or not gpu.is_hopper:
        splits = splits_of(cdiv(outputs, 64), steps, gpu.processors)
        stages = 3 if gpu.is_hopper else 2
        return Tiling(64 if rows <= 64 else 128, 64, 4, stages, splits, True)
    return Tiling(256, 128, 8, 3, 1, True)
