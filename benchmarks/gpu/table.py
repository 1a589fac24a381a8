"""Every row, in the order in which they are measured."""

from benchmarks.gpu import gated, norm, quantize, rope
from benchmarks.gpu.row import Rows

ROWS: Rows = (*gated.ROWS, *norm.ROWS, *rope.ROWS, *quantize.ROWS)
