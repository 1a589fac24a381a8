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
    quantize,
    rope,
    sampling,
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
)
