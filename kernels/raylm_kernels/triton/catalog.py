"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    clipping,
    cross_entropy,
    gated,
    linear_cross_entropy,
    optimizer,
    sampling,
    token_logprobs,
)

IMPLEMENTATIONS = (
    clipping,
    cross_entropy,
    gated,
    linear_cross_entropy,
    optimizer,
    sampling,
    token_logprobs,
)
