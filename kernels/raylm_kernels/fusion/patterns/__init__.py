"""Every pattern, in the order they are looked for: what one finds, later ones build on."""

from raylm_kernels.fusion.patterns import activation, linear, norm, projection, rope, softmax
from raylm_kernels.fusion.rewrite import Pattern

PATTERNS: tuple[Pattern, ...] = (
    activation.spelled_out,
    norm.rms_norm,
    rope.rope,
    projection.linear_rope,
    linear.linear_cross_entropy,
    softmax.masked_softmax,
    softmax.route,
    linear.gated_linear,
    linear.gate,
    linear.linear_add,
    norm.norm_linear,
    norm.add_rms_norm,
)
