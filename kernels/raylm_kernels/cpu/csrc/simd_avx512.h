// The operations AVX-512 with VNNI has an instruction for.
#pragma once

namespace raylm {

// Without it, arrays of accumulators land in memory.
#define RAYLM_UNROLL _Pragma("GCC unroll 8")

inline const char* instruction_set() { return "avx512_vnni"; }

inline f32x16 splat(float x) { return _mm512_set1_ps(x); }
inline i32x16 splat(std::int32_t x) { return (i32x16)_mm512_set1_epi32(x); }

inline f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }
inline f32x16 max(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }
inline f32x16 min(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }

inline float reduce_add(f32x16 x) { return _mm512_reduce_add_ps(x); }
inline std::int32_t reduce_add(i32x16 x) { return _mm512_reduce_add_epi32((__m512i)x); }
inline float reduce_max(f32x16 x) { return _mm512_reduce_max_ps(x); }

// Lane i of the result: sum[i] + weights[4i..4i+3] . quad[0..3], u8 by s8, exact in int32.
inline i32x16 dot4(i32x16 sum, u8x64 weights, i32x16 quad) {
    return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)weights, (__m512i)quad);
}

inline u8x64 low_nibbles(u8x64 x) {
    return (u8x64)_mm512_and_si512((__m512i)x, _mm512_set1_epi8(0x0f));
}
inline u8x64 high_nibbles(u8x64 x) { return low_nibbles((u8x64)_mm512_srli_epi16((__m512i)x, 4)); }

inline f32x16 half_to_float(const void* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(from)));
}

inline void store_int8(std::int8_t* to, i32x16 x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8((__m512i)x));
}

inline void prefetch(const void* line) {
    _mm_prefetch(static_cast<const char*>(line), _MM_HINT_T0);
}

}  // namespace raylm
