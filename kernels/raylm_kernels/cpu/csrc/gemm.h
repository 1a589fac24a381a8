// y = x . W^T for one member's share of W, handed unit by unit to whoever uses it.
#pragma once

#include <algorithm>

#include "packed.h"

namespace raylm {

// y [rows, 32] of `rows` activation rows with one unit.
using UnitKernel = void (*)(const std::uint8_t* unit, const Activations& x, int row, float* y);

UnitKernel stream_kernel(int bits, int rows);
UnitKernel tile_kernel(int bits, int rows);

// y [kStreams, 2, 32] of one activation row with two units at each of places `apart` bytes apart.
using StreamsKernel = void (*)(const std::uint8_t* units, std::size_t apart, const Activations& x,
                               float* y);

StreamsKernel streams_kernel(int bits);

// y [2, 32] of one activation row with two units, their row blocks side by side.
UnitKernel pair_kernel(int bits);

// Products of 8 bits that one thread makes in a second, from the first cache.
double peak_products(int bits);

// One row takes as long as the memory takes to deliver its weights, in kStreams places of the share
// at once, and of what is left in the row blocks of a pair. Returns the first unit after all pairs.
template <class Use>
int multiply_in_streams(const PackedMatrix& weights, int member, const Activations& x, Use&& use) {
    alignas(64) float y[kStreams * 2 * kUnitRows];
    const int begin = weights.begin(member);
    const int part = (weights.end(member) - begin) / (kStreams * 2) * 2;
    const StreamsKernel multiply_pairs = streams_kernel(weights.bits());
    for (int pair = begin; pair < begin + part; pair += 2) {
        multiply_pairs(weights.unit(member, pair), part * weights.unit_bytes(), x, y);
        for (int i = 0; i < kStreams * 2; ++i) {
            use(pair + i / 2 * part + i % 2, 0, 1, y + i * kUnitRows);
        }
    }
    int unit = begin + kStreams * part;
    for (; unit + 2 <= weights.end(member); unit += 2) {
        pair_kernel(weights.bits())(weights.unit(member, unit), x, 0, y);
        use(unit, 0, 1, y);
        use(unit + 1, 0, 1, y + kUnitRows);
    }
    return unit;
}

// Calls use(unit, first_row, rows, y) with y [rows, 32] for every unit of the share. Where that
// begins with an even one, an even one is followed by its neighbour.
template <class Use>
void multiply(const PackedMatrix& weights, int member, const Activations& x, int rows, Use&& use) {
    static_assert(kTileRows <= kStreamRows);
    alignas(64) float y[kStreamRows * kUnitRows];
    const int streamed = std::min(rows, kStreamRows);
    const UnitKernel stream = stream_kernel(weights.bits(), streamed);
    int unit = weights.begin(member);
    if (rows == 1 && multiplies_in_streams()) unit = multiply_in_streams(weights, member, x, use);
    for (; unit < weights.end(member); ++unit) {
        const std::uint8_t* lines = weights.unit(member, unit);
        stream(lines, x, 0, y);
        use(unit, 0, streamed, y);
        for (int row = streamed; row < rows; row += kTileRows) {
            const int count = std::min(rows - row, kTileRows);
            tile_kernel(weights.bits(), count)(lines, x, row, y);
            use(unit, row, count, y);
        }
    }
}

}  // namespace raylm
