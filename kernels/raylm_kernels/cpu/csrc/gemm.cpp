#include "gemm.h"

#include <array>
#include <chrono>
#include <utility>

#include "product.h"

namespace raylm {
namespace {

// From one row block to the next.
template <int Bits>
std::size_t stride_of(const Activations& x) {
    return std::size_t(x.depth() / kBlockDepth) * block_bytes(Bits);
}

template <int Bits, int M>
void stream(const std::uint8_t* unit, const Activations& x, int row, float* y) {
    const std::size_t stride = stride_of<Bits>(x);
    multiply_blocks<Bits, M, 1>(unit, stride, x, row, y);
    multiply_blocks<Bits, M, 1>(unit + stride, stride, x, row, y + kRowBlock);
}

template <int Bits, int M>
void tile(const std::uint8_t* unit, const Activations& x, int row, float* y) {
    if constexpr (kTileBlocks == 2) {
        multiply_blocks<Bits, M, 2>(unit, stride_of<Bits>(x), x, row, y);
    } else {
        stream<Bits, M>(unit, x, row, y);
    }
}

template <int Bits>
void streams(const std::uint8_t* units, std::size_t apart, const Activations& x, float* y) {
    const std::size_t stride = stride_of<Bits>(x);
    for (int at = 0; at < 2 * kUnitRows; at += kRowBlock, units += stride) {
        multiply_blocks<Bits, 1, kStreams>(units, apart, x, 0, y + at, 2 * kUnitRows);
    }
}

template <int Bits>
void pair(const std::uint8_t* unit, const Activations& x, int row, float* y) {
    multiply_blocks<Bits, 1, 4>(unit, stride_of<Bits>(x), x, row, y);
}

template <int Bits, int... M>
constexpr std::array<UnitKernel, sizeof...(M)> stream_kernels(std::integer_sequence<int, M...>) {
    return {stream<Bits, M + 1>...};
}

template <int Bits, int... M>
constexpr std::array<UnitKernel, sizeof...(M)> tile_kernels(std::integer_sequence<int, M...>) {
    return {tile<Bits, M + 1>...};
}

// Chains enough to hide the latency of each; what is added changes, so that all of it is done.
constexpr int kChains = kRegisterBytes == 64 ? 8 : 4;

template <int Bits>
std::int32_t add_products(const std::uint8_t* lines, int rounds) {
    Dot<Bits> dots[kChains];
    for (int round = 0; round < rounds; ++round) {
        const i32x16 quad = splat(round);
        RAYLM_UNROLL
        for (int chain = 0; chain < kChains; ++chain) {
            dots[chain].add(load_as<u8x64>(lines + chain * kLine), quad);
        }
    }
    std::int32_t sum = 0;
    for (const Dot<Bits>& dot : dots) sum += reduce_add(dot.total());
    return sum;
}

template <int Bits>
double measure_peak() {
    constexpr int kRounds = 2'000'000;
    Buffer<std::uint8_t> lines(kChains * kLine);
    for (std::size_t i = 0; i < lines.size(); ++i) lines[i] = i % 13;
    asm volatile("" : : "r"(lines.data()) : "memory");  // the compiler knows nothing of them
    volatile std::int32_t kept = 0;
    double best_s = 1e9;
    for (int run = 0; run < 5; ++run) {
        const auto began = std::chrono::steady_clock::now();
        kept = kept + add_products<Bits>(lines.data(), kRounds);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        best_s = std::min(best_s, took.count());
    }
    return 64.0 * kChains * kRounds / best_s;
}

}  // namespace

double peak_products(int bits) { return bits == 4 ? measure_peak<4>() : measure_peak<8>(); }

UnitKernel stream_kernel(int bits, int rows) {
    static constexpr auto int4 = stream_kernels<4>(std::make_integer_sequence<int, kStreamRows>());
    static constexpr auto int8 = stream_kernels<8>(std::make_integer_sequence<int, kStreamRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

UnitKernel tile_kernel(int bits, int rows) {
    static constexpr auto int4 = tile_kernels<4>(std::make_integer_sequence<int, kTileRows>());
    static constexpr auto int8 = tile_kernels<8>(std::make_integer_sequence<int, kTileRows>());
    return (bits == 4 ? int4 : int8)[rows - 1];
}

StreamsKernel streams_kernel(int bits) { return bits == 4 ? streams<4> : streams<8>; }

UnitKernel pair_kernel(int bits) { return bits == 4 ? pair<4> : pair<8>; }

}  // namespace raylm
