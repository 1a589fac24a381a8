// The integer product everything rests on: M rows of activations with B row blocks of weights.
#pragma once

#include "packed.h"

namespace raylm {

// y[m][b * 16 + lane] for blocks `stride` bytes apart. With B = 1 the weights are touched in
// ascending lines and fetched ahead, as a stream from memory wants; B = 2 reuses each activation
// twice and suits weights that lie in cache. Both sum the groups in one order: same bits.
template <int Bits, int M, int B>
void multiply_blocks(const std::uint8_t* block, std::size_t stride, const Activations& x, int row,
                     float* y) {
    constexpr int kQuadsPerLine = 8 / Bits;
    constexpr int kLinesPerGroup = kGroup / 4 / kQuadsPerLine;
    const int depth = x.depth();
    const int groups = x.groups();
    const std::int8_t* codes = x.codes(row);
    const float* x_scales = x.scales(row);
    const float* x_sums = x.sums(row);
    const std::int32_t* starts = x.starts(row);
    f32x16 sum[M][B];
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) sum[m][b] = splat(0.0f);
    }
    for (int group = 0; group < groups; ++group, codes += kGroup) {
        const int odd = group % 2;
        i32x16 dot[M][B];
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            RAYLM_UNROLL
            for (int b = 0; b < B; ++b) {
                dot[m][b] = splat(Bits == 4 ? 0 : starts[m * groups + group]);
            }
        }
        RAYLM_UNROLL
        for (int i = 0; i < kLinesPerGroup; ++i) {
            const std::uint8_t* line = block + (odd * kLinesPerGroup + i) * kLine;
            if constexpr (B == 1) prefetch(line + kPrefetchBytes);
            u8x64 weights[B];
            RAYLM_UNROLL
            for (int b = 0; b < B; ++b) weights[b] = load_as<u8x64>(line + b * stride);
            RAYLM_UNROLL
            for (int q = 0; q < kQuadsPerLine; ++q) {
                const int k = (i * kQuadsPerLine + q) * 4;
                RAYLM_UNROLL
                for (int m = 0; m < M; ++m) {
                    const auto quad = splat(load_as<std::int32_t>(codes + m * depth + k));
                    RAYLM_UNROLL
                    for (int b = 0; b < B; ++b) {
                        const u8x64 w = Bits == 8 ? weights[b]
                                        : q == 0  ? low_nibbles(weights[b])
                                                  : high_nibbles(weights[b]);
                        dot[m][b] = dot4(dot[m][b], w, quad);
                    }
                }
            }
        }
        const std::uint8_t* scale_line = block + code_bytes(Bits) + odd * kLine / 2;
        f32x16 scales[B];
        f32x16 minima[B];
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) {
            scales[b] = half_to_float(scale_line + b * stride);
            if constexpr (Bits == 4) minima[b] = half_to_float(scale_line + b * stride + kLine);
        }
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            const f32x16 x_scale = splat(x_scales[m * groups + group]);
            const f32x16 x_sum = splat(x_sums[m * groups + group]);
            RAYLM_UNROLL
            for (int b = 0; b < B; ++b) {
                sum[m][b] = fmadd(to_float(dot[m][b]), scales[b] * x_scale, sum[m][b]);
                if constexpr (Bits == 4) sum[m][b] = fmadd(minima[b], x_sum, sum[m][b]);
            }
        }
        block += odd * block_bytes(Bits);
    }
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        RAYLM_UNROLL
        for (int b = 0; b < B; ++b) store(y + m * kUnitRows + b * kRowBlock, sum[m][b]);
    }
}

}  // namespace raylm
