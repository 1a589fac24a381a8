"""Small whole numbers to 16-bit floats in registers, two at a time, by what their bits mean.

A code under the leading bit of 2^7 in bf16, or of 2^10 in fp16, is that power plus the code: one
logical operation makes two such numbers, one addition takes the power away again, exactly.
"""

import triton
import triton.language as tl

from raylm_kernels.triton.launched import IS_INTERPRETED as _IS_INTERPRETED

IS_INTERPRETED = tl.constexpr(_IS_INTERPRETED)
_NIBBLES = """
    {{
        .reg .b32 s1, s2, s3, one, base;
        mov.b32 one, {one};
        mov.b32 base, {base};
        shr.u32 s1, $4, 4;
        shr.u32 s2, $4, 8;
        shr.u32 s3, $4, 12;
        lop3.b32 $0, $4, 0x000F000F, {magic}, 0xEA;
        lop3.b32 $1, s1, 0x000F000F, {magic}, 0xEA;
        lop3.b32 $2, s2, 0x000F000F, {magic}, 0xEA;
        lop3.b32 $3, s3, 0x000F000F, {magic}, 0xEA;
        fma.rn.{type} $0, $0, one, base;
        fma.rn.{type} $1, $1, one, base;
        fma.rn.{type} $2, $2, one, base;
        fma.rn.{type} $3, $3, one, base;
    }}
"""
_BF16_NIBBLES = tl.constexpr(
    _NIBBLES.format(type="bf16x2", one="0x3F803F80", magic="0x43004300", base="0xC308C308")
)
_FP16_NIBBLES = tl.constexpr(
    _NIBBLES.format(type="f16x2", one="0x3C003C00", magic="0x64006400", base="0xE408E408")
)

_BF16_BYTES = tl.constexpr("""
    {
        .reg .b32 low, high, sign0, sign1, minus;
        mov.b32 minus, 0xBF80BF80;
        prmt.b32 low, $2, 0, 0x4140;
        prmt.b32 high, $2, 0, 0x4342;
        lop3.b32 sign0, low, 0x00800080, 0x43004300, 0xEA;
        lop3.b32 sign1, high, 0x00800080, 0x43004300, 0xEA;
        lop3.b32 low, low, 0x007F007F, 0x43004300, 0xEA;
        lop3.b32 high, high, 0x007F007F, 0x43004300, 0xEA;
        fma.rn.bf16x2 $0, sign0, minus, low;
        fma.rn.bf16x2 $1, sign1, minus, high;
    }
""")
_FP16_BYTES = tl.constexpr("""
    {
        .reg .b32 low, high, flipped, one, base;
        mov.b32 one, 0x3C003C00;
        mov.b32 base, 0xE480E480;
        xor.b32 flipped, $2, 0x80808080;
        prmt.b32 low, flipped, 0x64646464, 0x4140;
        prmt.b32 high, flipped, 0x64646464, 0x4342;
        fma.rn.f16x2 $0, low, one, base;
        fma.rn.f16x2 $1, high, one, base;
    }
""")


@triton.jit
def centred_nibbles(words, dtype: tl.constexpr):
    """The four codes of 4 bits in each 16-bit word, less 8, the lowest first."""
    if IS_INTERPRETED or dtype == tl.float32:
        # Floats are subtracted: ptxas 12.8 loses the constant of some packed 16-bit additions.
        codes = (
            (words & 15).to(dtype) - 8.0,
            (words >> 4 & 15).to(dtype) - 8.0,
            (words >> 8 & 15).to(dtype) - 8.0,
            (words >> 12 & 15).to(dtype) - 8.0,
        )
    elif dtype == tl.bfloat16:
        codes = tl.inline_asm_elementwise(
            _BF16_NIBBLES,
            "=r,=r,=r,=r,r",
            [words],
            (tl.bfloat16, tl.bfloat16, tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=2,
        )
    else:
        codes = tl.inline_asm_elementwise(
            _FP16_NIBBLES,
            "=r,=r,=r,=r,r",
            [words],
            (tl.float16, tl.float16, tl.float16, tl.float16),
            is_pure=True,
            pack=2,
        )
    return codes


@triton.jit
def from_bytes(codes, dtype: tl.constexpr):
    """Of int8 codes, or uint8 ones below 128."""
    if IS_INTERPRETED or dtype == tl.float32:
        values = codes.to(dtype)
    elif dtype == tl.bfloat16:
        values = tl.inline_asm_elementwise(
            _BF16_BYTES, "=r,=r,r", [codes], tl.bfloat16, is_pure=True, pack=4
        )
    else:
        values = tl.inline_asm_elementwise(
            _FP16_BYTES, "=r,=r,r", [codes], tl.float16, is_pure=True, pack=4
        )
    return values


@triton.jit
def scaled(codes, scale, offset, dtype: tl.constexpr):
    """code * scale + offset in `dtype`, rounded once."""
    scale, offset = scale.to(dtype), offset.to(dtype)
    if IS_INTERPRETED or dtype == tl.float32:
        weight = codes * scale + offset
    elif dtype == tl.bfloat16:
        weight = tl.inline_asm_elementwise(
            "fma.rn.bf16x2 $0, $1, $2, $3;",
            "=r,r,r,r",
            [codes, scale, offset],
            tl.bfloat16,
            is_pure=True,
            pack=2,
        )
    else:
        weight = tl.inline_asm_elementwise(
            "fma.rn.f16x2 $0, $1, $2, $3;",
            "=r,r,r,r",
            [codes, scale, offset],
            tl.float16,
            is_pure=True,
            pack=2,
        )
    return weight


@triton.jit
def planes_of(grid):
    """The four columns of what lies beside them: of scales of four groups of inputs, say."""
    even, odd = tl.split(grid.reshape(grid.shape[0], 2, 2))
    first, third = tl.split(even)
    second, fourth = tl.split(odd)
    return first, second, third, fourth
