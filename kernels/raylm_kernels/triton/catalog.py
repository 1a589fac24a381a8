"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import clipping, gated, optimizer

IMPLEMENTATIONS = (clipping, gated, optimizer)
