// The same product for many rows of x: a unit is expanded to bytes once, then meets tiles of rows.
// Every output sums its groups in the order matvec does, so both give the same bits.
#pragma once

#include "packed.h"

namespace raylm {

constexpr int kTileRows = 6;  // 6 x 2 integer and 12 float accumulators of the 32 registers

// quads [K / 4][2 row blocks][64], scales and minima [K / 32][2][16] of one unit.
struct ExpandedUnit {
    Buffer<std::uint8_t> quads;
    Buffer<float> scales;
    Buffer<float> minima;

    ExpandedUnit() = default;
    explicit ExpandedUnit(int depth)
        : quads(std::size_t(depth) * kUnitRows),
          scales(std::size_t(depth) / kGroup * kUnitRows),
          minima(std::size_t(depth) / kGroup * kUnitRows) {}
};

template <int Bits>
void expand(const std::uint8_t* block, int blocks, ExpandedUnit& out) {
    for (int half = 0; half < 2; ++half) {
        for (int b = 0; b < blocks; ++b, block += block_bytes(Bits)) {
            std::uint8_t* quad = out.quads.data() + std::size_t(b * kQuads * 2 + half) * kLine;
            for (int i = 0; i < code_bytes(Bits) / kLine; ++i) {
                const u8x64 line = load_as<u8x64>(block + i * kLine);
                prefetch(block + i * kLine + kPrefetchBytes);
                if constexpr (Bits == 4) {
                    store(quad, low_nibbles(line));
                    store(quad + 2 * kLine, high_nibbles(line));
                    quad += 4 * kLine;
                } else {
                    store(quad, line);
                    quad += 2 * kLine;
                }
            }
            const auto* halves = reinterpret_cast<const std::uint16_t*>(block + code_bytes(Bits));
            for (int g = 0; g < 2; ++g) {
                const int at = ((2 * b + g) * 2 + half) * kRowBlock;
                store(out.scales.data() + at, half_to_float(halves + g * kRowBlock));
                if constexpr (Bits == 4) {
                    store(out.minima.data() + at,
                          half_to_float(halves + kLine / 2 + g * kRowBlock));
                }
            }
        }
    }
}

template <int Bits, int M>
void gemm_tile(const ExpandedUnit& unit, const Activations& x, int first_row, float* y) {
    f32x16 sum[M][2];
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) sum[m][0] = sum[m][1] = splat(0.0f);
    const std::uint8_t* quad = unit.quads.data();
    const std::int8_t* codes = x.codes(first_row);
    for (int group = 0; group < x.groups(); ++group, codes += kGroup) {
        i32x16 dot[M][2];
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            dot[m][0] = dot[m][1] = splat(Bits == 4 ? 0 : x.starts(first_row + m)[group]);
        }
        RAYLM_UNROLL
        for (int k = 0; k < kGroup; k += 4, quad += 2 * kLine) {
            const u8x64 upper = load_as<u8x64>(quad);
            const u8x64 lower = load_as<u8x64>(quad + kLine);
            RAYLM_UNROLL
            for (int m = 0; m < M; ++m) {
                const auto four = splat(load_as<std::int32_t>(codes + m * x.depth() + k));
                dot[m][0] = dot4(dot[m][0], upper, four);
                dot[m][1] = dot4(dot[m][1], lower, four);
            }
        }
        const float* scales = unit.scales.data() + std::size_t(group) * kUnitRows;
        const f32x16 upper = load(scales);
        const f32x16 lower = load(scales + kRowBlock);
        RAYLM_UNROLL
        for (int m = 0; m < M; ++m) {
            const f32x16 scale = splat(x.scales(first_row + m)[group]);
            sum[m][0] = fmadd(to_float(dot[m][0]), upper * scale, sum[m][0]);
            sum[m][1] = fmadd(to_float(dot[m][1]), lower * scale, sum[m][1]);
        }
        if constexpr (Bits == 4) {
            const float* minima = unit.minima.data() + std::size_t(group) * kUnitRows;
            const f32x16 upper_minimum = load(minima);
            const f32x16 lower_minimum = load(minima + kRowBlock);
            RAYLM_UNROLL
            for (int m = 0; m < M; ++m) {
                const f32x16 total = splat(x.sums(first_row + m)[group]);
                sum[m][0] = fmadd(upper_minimum, total, sum[m][0]);
                sum[m][1] = fmadd(lower_minimum, total, sum[m][1]);
            }
        }
    }
    RAYLM_UNROLL
    for (int m = 0; m < M; ++m) {
        store(y + m * kUnitRows, sum[m][0]);
        store(y + m * kUnitRows + kRowBlock, sum[m][1]);
    }
}

}  // namespace raylm
