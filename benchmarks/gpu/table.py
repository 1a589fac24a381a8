"""Every row, in the order in which they are measured."""

from benchmarks.gpu import fused, gated
from benchmarks.gpu.row import Rows

ROWS: Rows = (*gated.ROWS, *fused.ROWS)
