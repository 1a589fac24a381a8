// The integer product everything rests on: M rows of activations with B row blocks of weights.
#pragma once

#include "packed.h"

namespace raylm {

// Rows of activations from one on.
struct ActivationRows {
    ActivationRows(const Activations& x, int row)
        : depth(x.depth()),
          groups(x.groups()),
          codes(x.codes(row)),
          scales(x.scales(row)),
          starts(x.starts(row)),
          sums(x.sums(row)) {}

    int depth;
    int groups;
    const std::int8_t* codes;
    const float* scales;
    const std::int32_t* starts;
    const float* sums;
};

template <int Bits, int M, int B>
using Dots = Dot<Bits>[M][B];

// The products over the first or the second group of 32 columns of B blocks.
template <int Bits, int M, int B>
[[gnu::always_inline]] inline void multiply_group(const std::uint8_t* block, std::size_t stride,
                                                  int second, const ActivationRows& x, int group,
                                                  Dots<Bits, M, B>& dot) {
    constexpr int kQuadsPerLine = 8 / Bits;
    constexpr int kLinesPerGroup = kGroup / 4 / kQuadsPerLine;
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) {
            dot[m][b] = Dot<Bits>(Bits == 4 ? 0 : x.starts[m * x.groups + group]);
        }
    }
    RAYLM_UNROLL
    for (int i = 0; i < kLinesPerGroup; ++i) {
        const std::uint8_t* line = block + (second * kLinesPerGroup + i) * kLine;
        if constexpr (B == 1 && kPrefetchBytes > 0) prefetch(line + kPrefetchBytes);
        u8x64 weights[B];
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) weights[b] = load_as<u8x64>(line + b * stride);
        RAYLM_UNROLL
        for (int q = 0; q < kQuadsPerLine; ++q) {
            const int k = group * kGroup + (i * kQuadsPerLine + q) * 4;
            RAYLM_UNROLL
            for (int m = 0; m < M; ++m) {
                const auto quad = splat(load_as<std::int32_t>(x.codes + m * x.depth + k));
                RAYLM_UNROLL
                for (int b = 0; b < B; ++b) {
                    const u8x64 w = Bits == 8 ? weights[b]
                                    : q == 0  ? low_nibbles(weights[b])
                                              : high_nibbles(weights[b]);
                    dot[m][b].add(w, quad);
                }
            }
        }
    }
}

// Adds a group's products, scaled.
template <int Bits, int M, int B>
[[gnu::always_inline]] inline void add_group(const std::uint8_t* block, std::size_t stride,
                                             int second, const ActivationRows& x, int group,
                                             const Dots<Bits, M, B>& dot, f32x16 (&sum)[M][B]) {
    const std::uint8_t* scale_line = block + code_bytes(Bits) + second * kLine / 2;
    RAYLM_UNROLL
    for (int b = 0; b < B; ++b) {
        const f32x16 scales = half_to_float(scale_line + b * stride);
        f32x16 minima = splat(0.0f);
        if constexpr (Bits == 4) minima = half_to_float(scale_line + b * stride + kLine);
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            const f32x16 scale = scales * splat(x.scales[m * x.groups + group]);
            sum[m][b] = fmadd(to_float(dot[m][b].total()), scale, sum[m][b]);
            if constexpr (Bits == 4) {
                sum[m][b] = fmadd(minima, splat(x.sums[m * x.groups + group]), sum[m][b]);
            }
        }
    }
}

// y[m * 32 + b * y_stride + lane] for blocks `stride` bytes apart. With B = 1 the weights are
// touched in ascending lines and fetched ahead, as a stream from memory wants; more blocks reuse
// each activation, or are streams of their own. All sum the groups in one order: same bits.
//
// Scales follow the codes of both groups. One or two rows, whose time is the memory's, touch them
// after these: on Zen 3 int4 is a quarter faster for it.
template <int Bits, int M, int B>
void multiply_blocks(const std::uint8_t* block, std::size_t stride, const Activations& from,
                     int row, float* y, int y_stride = kRowBlock) {
    constexpr bool kScalesLast = M == 1 || M * B == 2;
    const ActivationRows x(from, row);
    f32x16 sum[M][B];
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) sum[m][b] = splat(0.0f);
    }
    for (int group = 0; group < x.groups; group += 2, block += block_bytes(Bits)) {
        Dots<Bits, M, B> first, second;
        multiply_group<Bits, M, B>(block, stride, 0, x, group, first);
        if constexpr (!kScalesLast) add_group<Bits, M, B>(block, stride, 0, x, group, first, sum);
        multiply_group<Bits, M, B>(block, stride, 1, x, group + 1, second);
        if constexpr (kScalesLast) add_group<Bits, M, B>(block, stride, 0, x, group, first, sum);
        add_group<Bits, M, B>(block, stride, 1, x, group + 1, second, sum);
    }
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) store(y + m * kUnitRows + b * y_stride, sum[m][b]);
    }
}

}  // namespace raylm
