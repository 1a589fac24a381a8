"""Every row, in the order in which they are measured."""

from benchmarks.gpu import attention, gated
from benchmarks.gpu.row import Rows

ROWS: Rows = (*attention.ROWS, *gated.ROWS)
