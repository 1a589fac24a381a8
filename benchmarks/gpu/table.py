"""Every row, in the order in which they are measured."""

from benchmarks.gpu import gated, moe
from benchmarks.gpu.row import Rows

ROWS: Rows = (*gated.ROWS, *moe.ROWS)
