"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    gated,
    grouped_linear,
    grouped_linear_hopper,
    permutation,
    routing,
)

IMPLEMENTATIONS = (gated, grouped_linear, grouped_linear_hopper, permutation, routing)
