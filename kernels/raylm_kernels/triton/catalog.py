"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    gated,
    gated_linear,
    linear_add,
    linear_rope,
    masked_softmax,
    norm_linear,
)

IMPLEMENTATIONS = (gated, gated_linear, linear_add, linear_rope, norm_linear, masked_softmax)
