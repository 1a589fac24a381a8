"""The activations of `reference.gated`, and their slopes, of fp32."""

import triton
import triton.language as tl

_LOG2_E = tl.constexpr(1.4426950408889634)
_ROOT_HALF = tl.constexpr(0.7071067811865476)
_ROOT_TWO_PI = tl.constexpr(0.3989422804014327)  # 1 / sqrt(2 pi)
_ROOT_8_PI = tl.constexpr(1.5957691216057308)  # 2 sqrt(2 / pi)
_CUBIC = tl.constexpr(0.044715)


@triton.jit
def _sigmoid(x):
    root = tl.rsqrt(1.0 + tl.exp2(tl.minimum(x * -_LOG2_E, 126.0)))  # 2^128 is beyond fp32
    return root * root  # cheaper than a division, where tensor cores wait for it


@triton.jit
def activated(x, ACTIVATION: tl.constexpr):
    y = x
    if ACTIVATION == "relu":
        y = tl.where(x < 0.0, 0.0, x)  # not max, which would hide a NaN
    elif ACTIVATION == "silu":
        y = x * _sigmoid(x)
    elif ACTIVATION == "gelu":
        y = 0.5 * x * (1.0 + tl.erf(x * _ROOT_HALF))
    elif ACTIVATION == "gelu_tanh":
        y = x * _sigmoid((x + x * x * x * _CUBIC) * _ROOT_8_PI)
    else:
        tl.static_assert(ACTIVATION == "none", "an activation of reference.gated.ACTIVATIONS")
    return y


@triton.jit
def slope(x, ACTIVATION: tl.constexpr):
    y = tl.full(x.shape, 1.0, tl.float32)
    if ACTIVATION == "relu":
        y = tl.where(x > 0.0, 1.0, 0.0)
    elif ACTIVATION == "silu":
        share = _sigmoid(x)
        y = share * (1.0 + x * (1.0 - share))
    elif ACTIVATION == "gelu":
        density = tl.exp(-0.5 * x * x) * _ROOT_TWO_PI
        y = 0.5 * (1.0 + tl.erf(x * _ROOT_HALF)) + x * density
    elif ACTIVATION == "gelu_tanh":
        share = _sigmoid((x + x * x * x * _CUBIC) * _ROOT_8_PI)
        y = share * (1.0 + x * (1.0 - share) * _ROOT_8_PI * (1.0 + x * x * 3.0 * _CUBIC))
    else:
        tl.static_assert(ACTIVATION == "none", "an activation of reference.gated.ACTIVATIONS")
    return y
