// On any machine, in plain C++.
#pragma once

namespace raylm {

#define RAYLM_UNROLL  // registers are too few for it to pay

constexpr int kStreamRows = 1;
constexpr int kTileRows = 1;
constexpr int kTileBlocks = 1;
constexpr int kAttentionRows = 1;
constexpr int kValueLanes = 2;

constexpr int kProductRows = 2;
constexpr int kProductLanes = 1;

constexpr int kStreams = 1;
inline bool multiplies_in_streams() { return false; }
constexpr int kReadStreams = 1;
constexpr int kPrefetchBytes = 0;

inline const char* instruction_set() { return "portable"; }

using f32x4 = Register<float>;
using i32x4 = Register<std::int32_t>;
using i16x8 = Register<std::int16_t>;
using u32x4 = Register<std::uint32_t>;

inline f32x4 fmadd(f32x4 a, f32x4 b, f32x4 c) { return a * b + c; }

inline f32x4 max(f32x4 a, f32x4 b) { return a > b ? a : b; }
inline i32x4 max(i32x4 a, i32x4 b) { return a > b ? a : b; }
inline f32x4 min(f32x4 a, f32x4 b) { return a < b ? a : b; }
inline f32x4 sqrt(f32x4 x) {
    return f32x4{__builtin_sqrtf(x[0]), __builtin_sqrtf(x[1]), __builtin_sqrtf(x[2]),
                 __builtin_sqrtf(x[3])};
}

inline float reduce_add(f32x4 x) { return (x[0] + x[2]) + (x[1] + x[3]); }
inline std::int32_t reduce_add(i32x4 x) { return x[0] + x[1] + x[2] + x[3]; }
inline std::int32_t reduce_max(i32x4 x) {
    return std::max(std::max(x[0], x[2]), std::max(x[1], x[3]));
}
inline float reduce_max(f32x4 x) {
    const float even = x[0] > x[2] ? x[0] : x[2];
    const float odd = x[1] > x[3] ? x[1] : x[3];
    return even > odd ? even : odd;
}

// A half moved 13 bits left is a float whose exponent is 112 too small; subnormals come out right,
// and what is not finite has the largest exponent here and there.
inline f32x4 register_of_halves(const void* from) {
    std::uint16_t halves[4];
    std::memcpy(halves, from, sizeof(halves));
    f32x4 out;
    for (int i = 0; i < 4; ++i) {
        const std::uint32_t h = halves[i];
        const bool is_finite = (h & 0x7c00u) != 0x7c00u;
        const std::uint32_t exponent = is_finite ? 0 : 0x7f800000u;
        const std::uint32_t bits = (h & 0x8000u) << 16 | (h & 0x7fffu) << 13 | exponent;
        float x;
        std::memcpy(&x, &bits, sizeof(x));
        out[i] = x * 0x1p112f;
    }
    return out;
}

inline void store_int8(std::int8_t* to, i32x4 x) {
    for (int i = 0; i < 4; ++i) to[i] = static_cast<std::int8_t>(x[i]);
}

inline void store_past_cache(float* to, f32x4 x) { std::memcpy(to, &x, sizeof(x)); }

// A product is at most 255 * 127 and so fits the 16-bit multiplication every machine has.
inline i32x4 quad_products(Register<std::uint8_t> weights, i32x4 quad) {
    const u32x4 w = (u32x4)weights;
    const i32x4 even = (i32x4)((i16x8)(w & 0x00ff00ffu) * (((i16x8)quad << 8) >> 8));
    const i32x4 odd = (i32x4)((i16x8)((w >> 8) & 0x00ff00ffu) * ((i16x8)quad >> 8));
    return ((even << 16) >> 16) + (even >> 16) + ((odd << 16) >> 16) + (odd >> 16);
}

template <class Weights, class Quad>
inline Pair<Quad> quad_products(Pair<Weights> weights, Pair<Quad> quad) {
    return {quad_products(weights.low, quad.low), quad_products(weights.high, quad.high)};
}

// The products of sixteen rows with one vector of activations, over at most 32 of their columns.
template <int Bits>
class Dot {
public:
    Dot() = default;
    explicit Dot(std::int32_t start) : start_(start) {}

    // Lane r: += weights[4r..4r+3] . quad[0..3].
    void add(u8x64 weights, i32x16 quad) { sum_ = sum_ + quad_products(weights, quad); }
    i32x16 total() const { return sum_ + start_; }

private:
    std::int32_t start_ = 0;
    i32x16 sum_ = {};
};

}  // namespace raylm
