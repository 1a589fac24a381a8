// The same operations in plain C++ for any machine.
#pragma once

namespace raylm {

#define RAYLM_UNROLL  // registers are too few for it to pay

inline const char* instruction_set() { return "portable"; }

using i16x32 = std::int16_t __attribute__((vector_size(64)));

inline f32x16 splat(float x) { return f32x16{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
inline i32x16 splat(std::int32_t x) { return i32x16{} + x; }

inline f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return a * b + c; }
inline f32x16 max(f32x16 a, f32x16 b) { return a > b ? a : b; }
inline f32x16 min(f32x16 a, f32x16 b) { return a < b ? a : b; }

inline float reduce_add(f32x16 x) {
    float sum = 0.0f;
    for (int i = 0; i < kLanes; ++i) sum += x[i];
    return sum;
}
inline std::int32_t reduce_add(i32x16 x) {
    std::int32_t sum = 0;
    for (int i = 0; i < kLanes; ++i) sum += x[i];
    return sum;
}
inline float reduce_max(f32x16 x) {
    float most = x[0];
    for (int i = 1; i < kLanes; ++i) most = most > x[i] ? most : x[i];
    return most;
}

// Lane i of the result: sum[i] + weights[4i..4i+3] . quad[0..3], u8 by s8, exact in int32. A
// product is at most 255 * 127 and so fits the 16-bit multiplication every machine has.
inline i32x16 dot4(i32x16 sum, u8x64 weights, i32x16 quad) {
    const i16x32 even = (i16x32)((u32x16)weights & 0x00ff00ffu) * (((i16x32)quad << 8) >> 8);
    const i16x32 odd = (i16x32)(((u32x16)weights >> 8) & 0x00ff00ffu) * ((i16x32)quad >> 8);
    sum += (((i32x16)even << 16) >> 16) + ((i32x16)even >> 16);
    return sum + (((i32x16)odd << 16) >> 16) + ((i32x16)odd >> 16);
}

inline u8x64 low_nibbles(u8x64 x) { return x & 0x0f; }
inline u8x64 high_nibbles(u8x64 x) { return x >> 4; }

// A half moved 13 bits left is a float whose exponent is 112 too small; subnormals come out right.
inline f32x16 half_to_float(const void* from) {
    std::uint16_t halves[kLanes];
    std::memcpy(halves, from, sizeof(halves));
    f32x16 out;
    for (int i = 0; i < kLanes; ++i) {
        const std::uint32_t h = halves[i];
        const std::uint32_t bits = (h & 0x8000u) << 16 | (h & 0x7fffu) << 13;
        float x;
        std::memcpy(&x, &bits, sizeof(x));
        out[i] = x * 0x1p112f;
    }
    return out;
}

inline void store_int8(std::int8_t* to, i32x16 x) {
    for (int i = 0; i < kLanes; ++i) to[i] = static_cast<std::int8_t>(x[i]);
}

inline void prefetch(const void* line) { __builtin_prefetch(line); }

}  // namespace raylm
