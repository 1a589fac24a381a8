"""Every implementation in Triton: importing it registers them."""

from raylm_kernels.triton import (
    fp8_linear,
    gated,
    packed_linear,
    quantized_linear,
    weight_only_linear,
)

IMPLEMENTATIONS = (fp8_linear, gated, packed_linear, quantized_linear, weight_only_linear)
