"""Every row, in the order in which they are measured."""

from benchmarks.gpu import gated, paged_attention, single_row
from benchmarks.gpu.row import Rows

ROWS: Rows = (*gated.ROWS, *paged_attention.ROWS, *single_row.ROWS)
