"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    attention,
    block_sparse_attention,
    clipping,
    cross_entropy,
    gated,
    linear_cross_entropy,
    optimizer,
    sampling,
    token_logprobs,
)

IMPLEMENTATIONS = (
    attention,
    block_sparse_attention,
    clipping,
    cross_entropy,
    gated,
    linear_cross_entropy,
    optimizer,
    sampling,
    token_logprobs,
)
