"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import gated, paged_attention, row

IMPLEMENTATIONS = (gated, paged_attention, row)
