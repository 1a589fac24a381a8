// 64 bytes of lanes: one vector where the machine has registers that wide, else a pair of halves,
// down to what it has. The compiler keeps pairs in registers; vectors wider than those it would
// keep in memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace raylm {

#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__)
constexpr std::size_t kRegisterBytes = 64;
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
constexpr std::size_t kRegisterBytes = 32;
#else
constexpr std::size_t kRegisterBytes = 16;
#endif

constexpr int kLanes = 16;  // of 32 bits

template <class Half>
struct Pair {
    Half low;
    Half high;
};

template <class T, std::size_t Bytes>
struct Wide {
    using Type = Pair<typename Wide<T, Bytes / 2>::Type>;
};
template <class T>
struct Wide<T, kRegisterBytes> {
    typedef T Type __attribute__((vector_size(kRegisterBytes)));
};
template <class T>
using Register = typename Wide<T, kRegisterBytes>::Type;
template <class T>
using Lanes = typename Wide<T, 64>::Type;

using f32x16 = Lanes<float>;
using i32x16 = Lanes<std::int32_t>;
using u32x16 = Lanes<std::uint32_t>;
using u64x8 = Lanes<std::uint64_t>;
using u8x64 = Lanes<std::uint8_t>;

#define RAYLM_PAIRWISE(op)                                                       \
    template <class Half>                                                        \
    inline auto operator op(Pair<Half> a, Pair<Half> b) {                        \
        return Pair<decltype(a.low op b.low)>{a.low op b.low, a.high op b.high}; \
    }                                                                            \
    template <class Half, class Scalar>                                          \
        requires std::is_arithmetic_v<Scalar>                                    \
    inline auto operator op(Pair<Half> a, Scalar b) {                            \
        return Pair<decltype(a.low op b)>{a.low op b, a.high op b};              \
    }                                                                            \
    template <class Half, class Scalar>                                          \
        requires std::is_arithmetic_v<Scalar>                                    \
    inline auto operator op(Scalar a, Pair<Half> b) {                            \
        return Pair<decltype(a op b.low)>{a op b.low, a op b.high};              \
    }
RAYLM_PAIRWISE(+)
RAYLM_PAIRWISE(-)
RAYLM_PAIRWISE(*)
RAYLM_PAIRWISE(/)
RAYLM_PAIRWISE(&)
RAYLM_PAIRWISE(^)
RAYLM_PAIRWISE(<<)
RAYLM_PAIRWISE(>>)
RAYLM_PAIRWISE(<)
RAYLM_PAIRWISE(>)
#undef RAYLM_PAIRWISE

template <class Half>
inline Pair<Half> operator-(Pair<Half> a) {
    return {-a.low, -a.high};
}

template <class To, class From>
inline To bits_as(From x) {
    if constexpr (sizeof(To) <= kRegisterBytes) {
        return (To)x;
    } else {
        using Half = decltype(To::low);
        return {bits_as<Half>(x.low), bits_as<Half>(x.high)};
    }
}

template <class To, class From>
inline To convert(From x) {
    if constexpr (sizeof(To) <= kRegisterBytes) {
        return __builtin_convertvector(x, To);
    } else {
        using Half = decltype(To::low);
        return {convert<Half>(x.low), convert<Half>(x.high)};
    }
}

template <class Value>
inline Value load_as(const void* from) {
    Value x;
    if constexpr (requires { x.low; }) {  // one copy of all would go through memory
        x.low = load_as<decltype(x.low)>(from);
        x.high = load_as<decltype(x.high)>(static_cast<const char*>(from) + sizeof(x.low));
    } else {
        std::memcpy(&x, from, sizeof(x));
    }
    return x;
}

template <class Value>
inline void store(void* to, Value x) {
    if constexpr (requires { x.low; }) {
        store(to, x.low);
        store(static_cast<char*>(to) + sizeof(x.low), x.high);
    } else {
        std::memcpy(to, &x, sizeof(x));
    }
}

inline f32x16 load(const float* from) { return load_as<f32x16>(from); }

}  // namespace raylm
