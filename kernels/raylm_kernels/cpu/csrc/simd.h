// Sixteen 32-bit lanes. Kernels are written once against this vocabulary; the compiler lowers the
// vector extension to any machine, and simd_avx512.h replaces what it cannot express well.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace raylm {

constexpr int kLanes = 16;

using f32x16 = float __attribute__((vector_size(64)));
using i32x16 = std::int32_t __attribute__((vector_size(64)));
using u32x16 = std::uint32_t __attribute__((vector_size(64)));
using u64x8 = std::uint64_t __attribute__((vector_size(64)));
using u8x64 = std::uint8_t __attribute__((vector_size(64)));

template <class Vector>
inline Vector load_as(const void* from) {
    Vector v;
    std::memcpy(&v, from, sizeof(v));
    return v;
}

template <class Vector>
inline void store(void* to, Vector v) {
    std::memcpy(to, &v, sizeof(v));
}

inline f32x16 load(const float* from) { return load_as<f32x16>(from); }

}  // namespace raylm

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "simd_avx512.h"
#else
#include "simd_portable.h"
#endif

namespace raylm {

inline f32x16 abs(f32x16 x) { return (f32x16)((u32x16)x & 0x7fffffffu); }

// Adding 1.5 * 2^23 leaves the nearest integer (ties to even) in the low mantissa bits.
inline f32x16 round(f32x16 x) { return (x + 12582912.0f) - 12582912.0f; }

inline i32x16 to_int(f32x16 x) { return __builtin_convertvector(x, i32x16); }
inline f32x16 to_float(i32x16 x) { return __builtin_convertvector(x, f32x16); }

// Two bf16 values share a 32-bit lane; each half is a float once its bits are on top.
inline f32x16 low_bf16(u32x16 pairs) { return (f32x16)(pairs << 16); }
inline f32x16 high_bf16(u32x16 pairs) { return (f32x16)(pairs & 0xffff0000u); }

// exp(x) = 2^n * e^r, |r| <= ln(2)/2, Taylor to degree 6: relative error below 2e-7.
inline f32x16 exp(f32x16 x) {
    x = min(max(x, splat(-87.0f)), splat(88.0f));
    const f32x16 n = round(x * 1.44269504f);
    f32x16 r = fmadd(n, splat(-0.693359375f), x);
    r = fmadd(n, splat(2.12194440e-4f), r);
    f32x16 p = splat(1.0f / 720);
    p = fmadd(p, r, splat(1.0f / 120));
    p = fmadd(p, r, splat(1.0f / 24));
    p = fmadd(p, r, splat(1.0f / 6));
    p = fmadd(p, r, splat(0.5f));
    p = fmadd(p, r, splat(1.0f));
    p = fmadd(p, r, splat(1.0f));
    return p * (f32x16)((to_int(n) + 127) << 23);
}

inline f32x16 silu(f32x16 x) { return x / (1.0f + exp(-x)); }

inline std::uint16_t to_bf16(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // rounding a NaN up could make it inf
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace raylm
