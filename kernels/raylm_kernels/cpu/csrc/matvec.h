// y[M, 32] = x[M, K] . unit[32, K] for a few rows of x, weights read once, straight from memory.
#pragma once

#include "packed.h"

namespace raylm {

constexpr int kMatvecRows = 8;

template <int Bits, int M>
void matvec(const std::uint8_t* block, const Activations& x, int first_row, float* y) {
    constexpr int kLinesPerGroup = code_bytes(Bits) / kLine / 2;
    const std::int8_t* codes[M];
    const float* scales[M];
    const std::int32_t* starts[M];
    const float* sums[M];
    for (int m = 0; m < M; ++m) {
        codes[m] = x.codes(first_row + m);
        scales[m] = x.scales(first_row + m);
        starts[m] = x.starts(first_row + m);
        sums[m] = x.sums(first_row + m);
    }
    const int groups = x.groups();
    for (int half = 0; half < 2; ++half) {
        f32x16 sum[M];
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) sum[m] = splat(0.0f);
        for (int group = 0; group < groups; ++group) {
            const int odd = group & 1;
            const std::uint8_t* line = block + odd * kLinesPerGroup * kLine;
            i32x16 dot[M];
            RAYLM_UNROLL
            for (int m = 0; m < M; ++m) dot[m] = splat(Bits == 4 ? 0 : starts[m][group]);
            RAYLM_UNROLL
            for (int i = 0; i < kLinesPerGroup; ++i, line += kLine) {
                prefetch(line + kPrefetchBytes);
                const u8x64 w = load_as<u8x64>(line);
                constexpr int kQuadsPerLine = Bits == 4 ? 2 : 1;
                const int k = group * kGroup + i * kQuadsPerLine * 4;
                RAYLM_UNROLL
                for (int m = 0; m < M; ++m) {
                    const auto quad = splat(load_as<std::int32_t>(codes[m] + k));
                    dot[m] = dot4(dot[m], Bits == 4 ? low_nibbles(w) : w, quad);
                }
                if constexpr (Bits == 4) {
                    RAYLM_UNROLL
                    for (int m = 0; m < M; ++m) {
                        const auto quad = splat(load_as<std::int32_t>(codes[m] + k + 4));
                        dot[m] = dot4(dot[m], high_nibbles(w), quad);
                    }
                }
            }
            const auto* halves = reinterpret_cast<const std::uint16_t*>(block + code_bytes(Bits));
            const f32x16 weight_scale = half_to_float(halves + odd * kRowBlock);
            RAYLM_UNROLL
            for (int m = 0; m < M; ++m) {
                const f32x16 scale = weight_scale * splat(scales[m][group]);
                sum[m] = fmadd(to_float(dot[m]), scale, sum[m]);
            }
            if constexpr (Bits == 4) {
                const f32x16 minimum = half_to_float(halves + kLine / 2 + odd * kRowBlock);
                RAYLM_UNROLL
                for (int m = 0; m < M; ++m) {
                    sum[m] = fmadd(minimum, splat(sums[m][group]), sum[m]);
                }
            }
            block += odd * block_bytes(Bits);
        }
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) store(y + m * kUnitRows + half * kRowBlock, sum[m]);
    }
}

}  // namespace raylm
