"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import gated, norm, quantize, rope

IMPLEMENTATIONS = (gated, norm, quantize, rope)
