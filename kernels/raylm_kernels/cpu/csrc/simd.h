// Sixteen 32-bit lanes. Kernels are written once against this vocabulary; how a register's worth is
// best done stands in a header for each instruction set.
#pragma once

#include "lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "simd_avx2.h"
#else
#include "simd_portable.h"
#endif

namespace raylm {

template <class Vector, class T>
inline Vector splat_as(T x) {
    if constexpr (sizeof(Vector) <= kRegisterBytes) {
        return x - Vector{};
    } else {
        const auto half = splat_as<decltype(Vector::low)>(x);
        return {half, half};
    }
}
inline f32x16 splat(float x) { return splat_as<f32x16>(x); }
inline i32x16 splat(std::int32_t x) { return splat_as<i32x16>(x); }

template <class Half>
inline Pair<Half> fmadd(Pair<Half> a, Pair<Half> b, Pair<Half> c) {
    return {fmadd(a.low, b.low, c.low), fmadd(a.high, b.high, c.high)};
}

template <class Half>
inline Pair<Half> sqrt(Pair<Half> x) {
    return {sqrt(x.low), sqrt(x.high)};
}

template <class Mask, class Vector>
inline Vector select(Mask mask, Vector yes, Vector no) {
    if constexpr (sizeof(Vector) <= kRegisterBytes) {
        return mask ? yes : no;
    } else {
        return {select(mask.low, yes.low, no.low), select(mask.high, yes.high, no.high)};
    }
}
// Of floats b where one is NaN.
template <class Half>
inline Pair<Half> max(Pair<Half> a, Pair<Half> b) {
    return {max(a.low, b.low), max(a.high, b.high)};
}
template <class Half>
inline Pair<Half> min(Pair<Half> a, Pair<Half> b) {
    return {min(a.low, b.low), min(a.high, b.high)};
}

// x in the first `count` lanes, `other` in the rest.
inline f32x16 first_lanes(int count, f32x16 x, f32x16 other) {
    static constexpr std::int32_t kLane[kLanes] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                   8, 9, 10, 11, 12, 13, 14, 15};
    return select(load_as<i32x16>(kLane) < splat(count), x, other);
}

// All lanes, or as many as are left at a row's end; the rest are zeros.
using AllLanes = std::integral_constant<int, kLanes>;
inline f32x16 load(const float* from, AllLanes) { return load(from); }
inline f32x16 load(const float* from, int count) {
    float values[kLanes] = {};
    std::memcpy(values, from, count * sizeof(float));
    return load(values);
}
inline void store(float* to, f32x16 x, AllLanes) { store(to, x); }
inline void store(float* to, f32x16 x, int count) {
    float values[kLanes];
    store(values, x);
    std::memcpy(to, values, count * sizeof(float));
}

// Calls each(at, lanes) along a row.
template <class Each>
inline void for_lanes(long count, Each&& each) {
    long at = 0;
    for (; at + kLanes <= count; at += kLanes) each(at, AllLanes());
    if (at < count) each(at, int(count - at));
}

// Calls each(at, lanes, stream) in kReadStreams places of a row at once.
template <class Each>
inline void for_streams(long count, Each&& each) {
    const long part = count / (kReadStreams * kLanes) * kLanes;
    for (long at = 0; at < part; at += kLanes) {
        for (int stream = 0; stream < kReadStreams; ++stream) {
            each(at + stream * part, AllLanes(), stream);
        }
    }
    const long done = kReadStreams * part;
    for_lanes(count - done, [&](long at, auto lanes) { each(done + at, lanes, 0); });
}

template <class Half>
inline auto reduce_add(Pair<Half> x) {
    return reduce_add(x.low + x.high);
}
template <class Half>
inline auto reduce_max(Pair<Half> x) {
    return reduce_max(max(x.low, x.high));
}

template <class Vector = f32x16>
inline Vector half_to_float(const void* from) {
    if constexpr (sizeof(Vector) <= kRegisterBytes) {
        return register_of_halves(from);
    } else {
        using Half = decltype(Vector::low);
        const auto* rest = static_cast<const char*>(from) + sizeof(Half) / 2;
        return {half_to_float<Half>(from), half_to_float<Half>(rest)};
    }
}

template <class Half>
inline void store_int8(std::int8_t* to, Pair<Half> x) {
    store_int8(to, x.low);
    store_int8(to + sizeof(Half) / 4, x.high);
}

inline u8x64 low_nibbles(u8x64 x) { return bits_as<u8x64>(bits_as<u32x16>(x) & 0x0f0f0f0fu); }
inline u8x64 high_nibbles(u8x64 x) {
    return bits_as<u8x64>((bits_as<u32x16>(x) >> 4) & 0x0f0f0f0fu);
}

// Past the caches, to an aligned address: what is not read again soon need not be read first.
template <class Half>
inline void store_past_cache(float* to, Pair<Half> x) {
    store_past_cache(to, x.low);
    store_past_cache(to + sizeof(Half) / sizeof(float), x.high);
}

inline void prefetch(const void* line) { __builtin_prefetch(line); }

// Of the magnitudes of two vectors; NaN where one is, for as an integer it is larger than infinity.
inline float largest_magnitude(f32x16 a, f32x16 b) {
    const auto magnitude = [](f32x16 x) {
        return bits_as<i32x16>(bits_as<u32x16>(x) & 0x7fffffffu);
    };
    const std::int32_t bits = reduce_max(max(magnitude(a), magnitude(b)));
    return load_as<float>(&bits);
}

// Adding 1.5 * 2^23 leaves the nearest integer (ties to even) in the low mantissa bits.
inline f32x16 round(f32x16 x) { return (x + 12582912.0f) - 12582912.0f; }

inline i32x16 to_int(f32x16 x) { return convert<i32x16>(x); }
inline f32x16 to_float(i32x16 x) { return convert<f32x16>(x); }

// Two bf16 values share a 32-bit lane; each half is a float once its bits are on top.
inline f32x16 low_bf16(u32x16 pairs) { return bits_as<f32x16>(pairs << 16); }
inline f32x16 high_bf16(u32x16 pairs) { return bits_as<f32x16>(pairs & 0xffff0000u); }

// exp(x) = 2^n * e^r, |r| <= ln(2)/2, by the minimax polynomial of degree 5: relative error below
// 2e-7. Adding `kBias` leaves n + 127, the power's exponent, in the low mantissa bits. The order of
// what is compared lets a NaN through.
inline f32x16 exp(f32x16 x) {
    constexpr float kBias = 12582912.0f + 127.0f;
    x = min(splat(88.0f), max(splat(-87.0f), x));
    const f32x16 biased = fmadd(x, splat(1.44269504f), splat(kBias));
    const f32x16 n = biased - kBias;
    f32x16 r = fmadd(n, splat(-0.693359375f), x);
    r = fmadd(n, splat(2.12194440e-4f), r);
    f32x16 p = splat(8.31250121e-3f);
    p = fmadd(p, r, splat(4.18903315e-2f));
    p = fmadd(p, r, splat(0.166671154f));
    p = fmadd(p, r, splat(0.499992303f));
    p = fmadd(p, r, splat(1.0f));
    p = fmadd(p, r, splat(1.0f));
    return p * bits_as<f32x16>(bits_as<i32x16>(biased) << 23);
}

inline f32x16 silu(f32x16 x) { return x / (1.0f + exp(-x)); }

// Four int8 values share a 32-bit lane.
inline f32x16 int8_lanes(i32x16 quads, int place) {
    return to_float((quads << (24 - 8 * place)) >> 24);
}

inline std::uint16_t to_half(float x) {
    const _Float16 half = x;
    return load_as<std::uint16_t>(&half);
}
inline float from_half(std::uint16_t half) { return float(load_as<_Float16>(&half)); }

inline std::uint16_t to_bf16(float x) {
    std::uint32_t bits;
    std::memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0;  // rounding a NaN up could make it inf
    return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
}

}  // namespace raylm
