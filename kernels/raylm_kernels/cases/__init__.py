"""Arguments of every op, small and awkward: what its implementations are judged by."""

from collections.abc import Mapping

from raylm_kernels.cases import (
    attention,
    decoder,
    fused,
    gated,
    linear,
    loss,
    moe,
    norm,
    optimizer,
    quantize,
    rope,
    sampling,
)
from raylm_kernels.cases.draw import Cases

_FAMILIES = (
    attention,
    decoder,
    fused,
    gated,
    linear,
    loss,
    moe,
    norm,
    optimizer,
    quantize,
    rope,
    sampling,
)

CASES: Mapping[str, Cases] = {
    op: cases for family in _FAMILIES for op, cases in family.CASES.items()
}
