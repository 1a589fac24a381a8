"""Gated activations."""

from collections.abc import Iterator, Mapping

from raylm_kernels.cases.draw import Arguments, Cases, Draw
from raylm_kernels.cases.rows import rows


def _gated(draw: Draw) -> Iterator[Arguments]:
    for x in rows(draw):
        yield x * 4, draw.normal(*x.shape)


CASES: Mapping[str, Cases] = {
    "geglu": _gated,
    "swiglu": _gated,
}
