"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import gated, grouped_linear, permutation, routing

IMPLEMENTATIONS = (gated, grouped_linear, permutation, routing)
