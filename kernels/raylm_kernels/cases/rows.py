"""Rows that many ops take."""

from collections.abc import Iterator
from math import inf, nan

from torch import Tensor

from raylm_kernels.cases.draw import Draw


def rows(draw: Draw) -> Iterator[Tensor]:
    for shape in ((1, 32), (3, 96), (2, 5, 64), (7, 576), (0, 64), (4, 33), (3, 3), (9, 1025)):
        yield draw.normal(*shape, scale=3.0)
    yield draw.normal(5, 80, scale=3.0)[:, 16:64]  # as a part of a wider product
    yield draw.normal(48, 5, scale=3.0).T


def grouped_rows(draw: Draw) -> Iterator[Tensor]:
    for shape in ((1, 32), (3, 96), (2, 5, 64), (0, 64)):
        x = draw.normal(*shape, scale=3.0)
        if x.numel() > 64:
            x[-1, ..., :32] = 0  # a group without a scale
        yield x


def spoilt_rows(draw: Draw, width: int) -> Tensor:
    """Each but the first with one or two numbers that are NaN, of either sign, or infinite."""
    x = draw.normal(7, width)
    for row, column, value in (
        *((1, 3, nan), (2, 31, -nan), (3, 0, inf), (4, 5, -inf)),
        *((5, 1, inf), (5, 2, -inf), (6, 7, nan), (6, 8, inf)),
    ):
        x[row, column] = value
    return x
