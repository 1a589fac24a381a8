"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import attention, gated

IMPLEMENTATIONS = (attention, gated)
