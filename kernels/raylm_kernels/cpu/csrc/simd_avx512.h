// With AVX-512 and VNNI.
#pragma once

namespace raylm {

// Without it, arrays of accumulators land in memory.
#define RAYLM_UNROLL _Pragma("GCC unroll 8")

// What 32 registers hold.
constexpr int kStreamRows = 8;  // 8 + 8 accumulators; more rows would not hide more of the stream
constexpr int kTileRows = 6;    // 12 + 12 accumulators over two row blocks
constexpr int kTileBlocks = 2;
constexpr int kAttentionRows = 6;  // 6 rows x 4 accumulators and 4 halves of a value row: 28
constexpr int kValueLanes = 4;

constexpr int kProductRows = 6;  // 6 x 4 accumulators, 4 of the right matrix
constexpr int kProductLanes = 4;

// Places of a matrix that one row is multiplied with side by side where that is faster, and how far
// ahead of its use a line is asked for where it is not. Matrices follow one another in the arena,
// so this also fetches the start of the next one. GB/s of int4 matvec from DRAM. Xeon with AMX, in
// one place 7.2, in four 11.0. Zen 5: no prefetch 32, 2 KB 34, 8 KB 39, 16 KB the same; in two
// places half of that.
constexpr int kStreams = 4;
constexpr int kReadStreams = 1;
inline bool multiplies_in_streams() {
    static const bool intel = __builtin_cpu_is("intel");
    return intel;
}
constexpr int kPrefetchBytes = 8192;

inline const char* instruction_set() { return "avx512_vnni"; }

inline f32x16 fmadd(f32x16 a, f32x16 b, f32x16 c) { return _mm512_fmadd_ps(a, b, c); }

inline f32x16 max(f32x16 a, f32x16 b) { return _mm512_max_ps(a, b); }
inline i32x16 max(i32x16 a, i32x16 b) { return (i32x16)_mm512_max_epi32((__m512i)a, (__m512i)b); }
inline f32x16 min(f32x16 a, f32x16 b) { return _mm512_min_ps(a, b); }
inline f32x16 sqrt(f32x16 x) { return _mm512_sqrt_ps(x); }

inline float reduce_add(f32x16 x) { return _mm512_reduce_add_ps(x); }
inline std::int32_t reduce_add(i32x16 x) { return _mm512_reduce_add_epi32((__m512i)x); }
inline std::int32_t reduce_max(i32x16 x) { return _mm512_reduce_max_epi32((__m512i)x); }
inline float reduce_max(f32x16 x) { return _mm512_reduce_max_ps(x); }

inline f32x16 register_of_halves(const void* from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(from)));
}

inline void store_int8(std::int8_t* to, i32x16 x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8((__m512i)x));
}

inline void store_past_cache(float* to, f32x16 x) { _mm512_stream_ps(to, x); }

// The products of sixteen rows with one vector of activations, over at most 32 of their columns.
template <int Bits>
class Dot {
public:
    Dot() = default;
    explicit Dot(std::int32_t start) : sum_((i32x16)_mm512_set1_epi32(start)) {}

    // Lane r: += weights[4r..4r+3] . quad[0..3].
    void add(u8x64 weights, i32x16 quad) {
        sum_ = (i32x16)_mm512_dpbusd_epi32((__m512i)sum_, (__m512i)weights, (__m512i)quad);
    }
    i32x16 total() const { return sum_; }

private:
    i32x16 sum_ = {};
};

}  // namespace raylm
