// With AVX2, FMA and half-precision loads: every 64 bytes are a pair of registers.
#pragma once

namespace raylm {

#define RAYLM_UNROLL _Pragma("GCC unroll 8")

// What 16 registers hold.
constexpr int kStreamRows = 4;  // 8 accumulators of products, 4 halves of a line's nibbles
constexpr int kTileRows = 4;
constexpr int kTileBlocks = 1;
constexpr int kAttentionRows = 3;  // 3 rows x 2 x 2 accumulators and 2 x 2 halves of a value row
constexpr int kValueLanes = 2;

constexpr int kProductRows = 6;  // 6 x 2 accumulators, 2 of the right matrix, 1 of the left
constexpr int kProductLanes = 1;

// Places of a matrix that one row is multiplied with side by side, and how far ahead of its use a
// line is asked for. Zen 3, a matvec from DRAM: two are 1.3 times as fast as one, four 1.5 times;
// fetching ahead by 512 bytes to 64 KB changes nothing.
constexpr int kStreams = 4;
inline bool multiplies_in_streams() { return true; }
constexpr int kPrefetchBytes = 0;

// Places that a sum is read from at once: Zen 3 fetches ahead within a page only, and one stream
// waits for memory at the start of each. GB/s of one and of four: 10.5 and 14.
constexpr int kReadStreams = 4;

inline const char* instruction_set() { return "avx2"; }

using f32x8 = Register<float>;
using i32x8 = Register<std::int32_t>;

inline f32x8 fmadd(f32x8 a, f32x8 b, f32x8 c) { return _mm256_fmadd_ps(a, b, c); }

inline f32x8 max(f32x8 a, f32x8 b) { return _mm256_max_ps(a, b); }
inline i32x8 max(i32x8 a, i32x8 b) { return (i32x8)_mm256_max_epi32((__m256i)a, (__m256i)b); }
inline f32x8 min(f32x8 a, f32x8 b) { return _mm256_min_ps(a, b); }
inline f32x8 sqrt(f32x8 x) { return _mm256_sqrt_ps(x); }

inline __m128 fold(__m256 x) {
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
}
inline float reduce_add(f32x8 x) {
    const __m128 four = fold(x);
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
inline float reduce_max(f32x8 x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline std::int32_t reduce_max(i32x8 x) {
    const __m256i all = (__m256i)x;
    const __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128i two = _mm_max_epi32(four, _mm_unpackhi_epi64(four, four));
    return std::max(_mm_cvtsi128_si32(two), _mm_extract_epi32(two, 1));
}
inline std::int32_t reduce_add(i32x8 x) {
    const __m256i all = (__m256i)x;
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    return _mm_cvtsi128_si32(two) + _mm_extract_epi32(two, 1);
}

inline f32x8 register_of_halves(const void* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(from)));
}

inline void store_int8(std::int8_t* to, i32x8 x) {
    const __m256i all = (__m256i)x;
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
}

inline void store_past_cache(float* to, f32x8 x) { _mm256_stream_ps(to, x); }

inline __m256i multiply_bytes(Register<std::uint8_t> weights, i32x8 quad) {
    return _mm256_maddubs_epi16((__m256i)weights, (__m256i)quad);
}
inline __m256i add_pairs(__m256i words) { return _mm256_madd_epi16(words, _mm256_set1_epi16(1)); }

// Left to itself GCC makes all products before it adds the first two, and spills them. Int4 from
// the cache is 1.3 times as fast for one row in this order, 1.9 times for eight.
inline __m256i in_order(__m256i sum) {
    asm("" : "+x"(sum));
    return sum;
}

// The products of sixteen rows with one vector of activations, over at most 32 of their columns.
template <int Bits>
class Dot;

// A row's sums stay below 8 * 2 * 15 * 127 and so in 16 bits until all columns are added.
template <>
class Dot<4> {
public:
    Dot() = default;
    explicit Dot(std::int32_t) {}

    // Lane r: += weights[4r..4r+3] . quad[0..3].
    void add(u8x64 weights, i32x16 quad) {
        low_ = in_order(_mm256_add_epi16(low_, multiply_bytes(weights.low, quad.low)));
        high_ = in_order(_mm256_add_epi16(high_, multiply_bytes(weights.high, quad.high)));
    }
    i32x16 total() const { return {(i32x8)add_pairs(low_), (i32x8)add_pairs(high_)}; }

private:
    __m256i low_ = _mm256_setzero_si256();
    __m256i high_ = _mm256_setzero_si256();
};

// |w| by a with w's sign: of 255 * 127 a pair would not fit 16 bits, of 128 * 127 it does. No start
// is needed, for the weights are signed again.
template <>
class Dot<8> {
public:
    Dot() = default;
    explicit Dot(std::int32_t) {}

    void add(u8x64 weights, i32x16 quad) {
        low_ = in_order(_mm256_add_epi32(low_, products(weights.low, quad.low)));
        high_ = in_order(_mm256_add_epi32(high_, products(weights.high, quad.high)));
    }
    i32x16 total() const { return {(i32x8)low_, (i32x8)high_}; }

private:
    static __m256i products(Register<std::uint8_t> weights, i32x8 quad) {
        const __m256i w = _mm256_xor_si256((__m256i)weights, _mm256_set1_epi8(-128));
        const __m256i a = _mm256_sign_epi8((__m256i)quad, w);
        return add_pairs(_mm256_maddubs_epi16(_mm256_abs_epi8(w), a));
    }

    __m256i low_ = _mm256_setzero_si256();
    __m256i high_ = _mm256_setzero_si256();
};

}  // namespace raylm
