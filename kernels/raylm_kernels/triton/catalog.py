"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import attention, block_sparse_attention, gated

IMPLEMENTATIONS = (attention, block_sparse_attention, gated)
