"""Every row, in the order in which they are measured."""

from benchmarks.gpu import (
    attention,
    fused,
    gated,
    linear,
    loss,
    moe,
    norm,
    optimizer,
    paged_attention,
    quantize,
    rope,
    sampling,
    single_row,
)
from benchmarks.gpu.row import Rows

ROWS: Rows = (
    *gated.ROWS,
    *loss.ROWS,
    *optimizer.ROWS,
    *sampling.ROWS,
    *attention.ROWS,
    *fused.ROWS,
    *linear.ROWS,
    *moe.ROWS,
    *norm.ROWS,
    *rope.ROWS,
    *quantize.ROWS,
    *paged_attention.ROWS,
    *single_row.ROWS,
)
