"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    attention,
    block_sparse_attention,
    clipping,
    cross_entropy,
    gated,
    gated_linear,
    linear_add,
    linear_cross_entropy,
    linear_rope,
    masked_softmax,
    norm_linear,
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
    gated_linear,
    linear_add,
    linear_cross_entropy,
    linear_rope,
    masked_softmax,
    norm_linear,
    optimizer,
    sampling,
    token_logprobs,
)
