"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import gated, norm, norm_backward, norm_int8, quantize, rope

IMPLEMENTATIONS = (gated, norm, norm_backward, norm_int8, quantize, rope)
