"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import gated, packed_linear

IMPLEMENTATIONS = (gated, packed_linear)
