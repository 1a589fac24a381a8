"""Cosine and sine in fp32 of angles up to some million, as rotary positions make them. Those of
the libraries keep a table in memory for angles that are larger still."""

import triton
import triton.language as tl

_TWO_OVER_PI = tl.constexpr(0.6366197723675814)
# pi / 2 in three parts, each with so few digits that small multiples of it are exact
_HIGH = tl.constexpr(1.5703125)
_MIDDLE = tl.constexpr(4.837512969970703e-4)
_LOW = tl.constexpr(7.549789948768648e-8)


@triton.jit
def cos_sin(angle):
    """By polynomials within a quarter of pi (Moshier's Cephes), of the nearest quarter turn."""
    turns = tl.floor(angle * _TWO_OVER_PI + 0.5)
    x = tl.fma(turns, -_HIGH, angle)
    x = tl.fma(turns, -_MIDDLE, x)
    x = tl.fma(turns, -_LOW, x)
    z = x * x
    sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * x + x
    cosine = (2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2
    cosine = cosine * z * z - 0.5 * z + 1.0
    quadrant = turns.to(tl.int32) & 3
    is_odd = (quadrant & 1) == 1
    cos = tl.where(is_odd, sine, cosine)
    sin = tl.where(is_odd, cosine, sine)
    cos = tl.where((quadrant == 1) | (quadrant == 2), -cos, cos)
    return cos, tl.where(quadrant >= 2, -sin, sin)
